"""What is told of one run below the comparison's table: how it was made, what it reached, and when things happened."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from lvmcore.evaluation.figures import plain, rate, signed
from lvmcore.report.format import TESTS, figure_label
from lvmcore.runs.run import Run
from lvmcore.variants.gates import by_figure, find_figure, parse_rule
from lvmcore.variants.published import DIAGNOSTIC, Figure, Reported

BYTES_A_PARAMETER = 3 * 4
"""Size is that of a training checkpoint, as in the document: float32 weights and AdamW's two moments."""

Interval = tuple[float, float]
"""The ends of a 95 % interval."""


@attrs.frozen
class Target:
    """One figure that a gate is about, on both splits: as it is, as it should be, and whether it holds."""

    letter: str
    figure: str
    val: float | None
    ood: float | None
    wanted: str
    """The conditions of VAL and of OOD, one where they are the same."""
    holds: bool | None
    """None where it can't be measured."""
    val_interval: Interval | None = None
    ood_interval: Interval | None = None

    @property
    def test(self) -> str:
        """What the test is called; nothing of a plugin's."""
        return TESTS.get(self.letter, "")

    @property
    def label(self) -> str:
        """The figure in words."""
        return figure_label(self.figure)

    @property
    def val_text(self) -> str:
        """The figure on VAL as it is printed, with its interval."""
        return self._with_interval(self.val, self.val_interval)

    @property
    def ood_text(self) -> str:
        """The figure on OOD as it is printed, with its interval."""
        return self._with_interval(self.ood, self.ood_interval)

    def _with_interval(self, value: float | None, interval: Interval | None) -> str:
        if value is None or interval is None:
            return self.text(value)
        return f"{self.text(value)} [{self.text(interval[0])}, {self.text(interval[1])}]"

    def text(self, value: float | None) -> str:
        """A value of the figure as it is printed."""
        if _is_rate(self.figure):
            return rate(value)
        unsigned = self.figure in ("score", "delta", "cosine") or "mrr" in self.figure
        return plain(value) if unsigned else signed(value)


def _is_rate(figure: str) -> bool:
    return figure.endswith(("r1", "r5"))


@attrs.frozen
class Published:
    """A figure that was published for a run's variant, and the run's own by the same protocol."""

    figure: str
    val: float | None
    ood: float | None
    published_val: float | None
    published_ood: float | None

    @property
    def label(self) -> str:
        """The figure in words."""
        return "rollout" if self.figure == "score" else figure_label(self.figure)

    @property
    def texts(self) -> list[str]:
        """The four numbers as they are printed."""
        form = signed if "margin" in self.figure else rate if _is_rate(self.figure) else plain
        return [form(value) for value in (self.val, self.ood, self.published_val, self.published_ood)]


@attrs.frozen(kw_only=True)
class Details:
    """One run."""

    number: int
    model: str
    run: str
    status: str
    started: str
    seconds: float | None
    parameters: int | None
    weights: int | None
    """Bytes of the exported weights; None where there are none."""
    settings: dict[str, str]
    """How it was made, in the order of a reader's interest."""
    gates: str
    """Profile and how many letters passed: `table 2/5`."""
    measured: dict[str, int]
    """Split → windows that it was evaluated on."""
    targets: tuple[Target, ...]
    why: dict[str, str]
    """Letters that did not pass → why."""
    events: tuple[tuple[int, str], ...]
    """Epoch and what happened in it."""
    served_at: tuple[str, ...]
    """The addresses at which it is served now."""
    published: tuple[Published, ...]
    """What was published for its variant; nothing unless asked for."""
    published_protocol: str

    @property
    def checkpoint(self) -> int | None:
        """Bytes of a training checkpoint of its model."""
        return self.parameters and self.parameters * BYTES_A_PARAMETER


def details_of(number: int, run: Run, model: str, status: str, reported: Reported | None = None) -> Details:
    """Read a run's folder.

    Args:
        reported: the figures that were published for its variant.
    """
    record = run.record
    evaluation = run.evaluation() or {}
    gates = evaluation.get("gates") or {}
    return Details(
        number=number,
        model=model,
        run=run.path.name,
        status=status,
        started=record.get("started", ""),
        seconds=record.get("seconds"),
        parameters=record.get("parameters"),
        weights=run.model_file.stat().st_size if run.model_file.is_file() else None,
        settings=dict(_settings(record)),
        gates=f"{gates['profile']} {gates['passed']}/{gates['of']}" if gates else "",
        measured={s: found["windows"] for s, found in evaluation.get("splits", {}).items() if "windows" in found},
        targets=tuple(_targets(gates.get("conditions", []), evaluation)),
        why=gates.get("why", {}),
        events=tuple(_events(run.epochs(), record)),
        served_at=tuple(run.served_at),
        published=tuple(_published(run, reported)) if reported else (),
        published_protocol=reported.protocol if reported else "",
    )


def _settings(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    variant = record.get("variant") or {}
    corpus, recipe = record.get("corpus") or {}, record.get("recipe") or {}
    windows = record.get("windows") or {}
    held = f"{windows['train']:,} training windows" if windows else ""
    yield "architecture", recipe.get("arch") or variant.get("arch", "")
    yield "loss", variant.get("loss", "")
    yield "inputs", variant.get("inputs", "") or "none"
    yield "sampler", variant.get("sampler", "")
    for stage in variant.get("stages", ()):
        changed = ", ".join(f"{key} {value}" for key, value in stage.items() if value is not None and key != "name")
        yield f"stage {stage['name']}", changed
    yield "data", ", ".join(part for part in (corpus.get("name", ""), held) if part)
    course = {key: variant.get(key) for key in ("epochs", "batch_size", "lr", "schedule", "best")}
    yield (
        "training",
        ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in course.items() if value is not None),
    )
    made = {key: record.get(key) for key in ("seed", "precision", "size", "on_collapse")}
    yield "made with", ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in made.items() if value is not None)
    yield "command", shlex.join(map(str, record.get("command") or ()))


def _targets(conditions: Iterable[dict[str, Any]], evaluation: dict[str, Any]) -> Iterator[Target]:
    """The conditions of each figure as one line."""

    def interval(letter: str, name: str, split: str) -> Interval | None:
        _, figure = find_figure(letter, name, split, evaluation)
        return (figure["low"], figure["high"]) if figure and figure["low"] is not None else None

    for (letter, figure), by_split in by_figure(conditions).items():
        wanted = list(dict.fromkeys(_wanted(figure, one["condition"]) for one in by_split.values()))
        outcomes = [one["holds"] for one in by_split.values()]
        values = {split: one["value"] for split, one in by_split.items()}
        holds = False if False in outcomes else None if None in outcomes else True
        first = "both" if "both" in by_split else "val"
        ends = [interval(letter, figure, split) if split in by_split else None for split in (first, "ood")]
        yield Target(letter, figure, values.get(first), values.get("ood"), " / ".join(wanted), holds, *ends)


def _wanted(figure: str, condition: str) -> str:
    """A condition as it is printed: a rate's in per cent, as the rate."""
    rule = parse_rule(condition)
    return f"{rule.sign} {rule.threshold:.0%}" if _is_rate(figure) and rule.sign in (">=", "<=") else condition


def _published(run: Run, reported: Reported) -> Iterator[Published]:
    """Cosine, margin, R@1, R@5 and rollout, those of them that were published."""
    own = run.evaluation() if reported.protocol == DIAGNOSTIC else run.evaluation(reported.protocol)
    margin = "margin_last" if reported.protocol == DIAGNOSTIC else "margin"
    for letter, figure, theirs in (
        ("A", "cosine", Figure(reported.val_cos)),
        ("A", margin, reported.margin),
        ("B", "all.r1", reported.r1),
        ("B", "all.r5", reported.r5),
        ("D", "score", reported.d),
    ):
        if theirs is None or (theirs.val is None and theirs.ood is None):
            continue
        found = [find_figure(letter, figure, split, own)[1] if own else None for split in ("val", "ood")]
        val, ood = (one["value"] if one else None for one in found)
        yield Published(figure, val, ood, theirs.val, theirs.ood)


def _events(epochs: list[dict[str, Any]], record: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Stages and terms that begin or end, what the epochs noted, and the best of them, in the order of epochs."""
    best = record.get("best") or {}
    whole = (record.get("windows") or {}).get("train")
    windows, before = whole, None
    for epoch in epochs:
        number, terms = epoch["epoch"], _acting(epoch)
        if before and epoch.get("stage") != before.get("stage"):
            yield number, f"stage {epoch['stage']} begins"
        if (drawn := epoch.get("windows", windows)) != windows:
            yield number, f"{drawn:,} of {whole:,} training windows from here on"
            windows = drawn
        if before:
            begun = [label for label in terms if label not in _acting(before)]
            ended = [label for label in _acting(before) if label not in terms]
            yield from ((number, f"{label} acts no longer") for label in ended)
            if begun:
                yield number, f"{', '.join(begun)} from here on: {_figures(before)} → {_figures(epoch)}"
        yield from ((number, text) for text in epoch.get("events", ()))
        if number == best.get("epoch"):
            yield number, f"best weights by {best['metric']}: {_figures(epoch)}"
        before = epoch


def _acting(epoch: dict[str, Any]) -> list[str]:
    """The losses and inputs that act in an epoch."""
    return [*epoch.get("terms", ()), *(label for label, value in epoch.get("inputs", {}).items() if value)]


def _figures(epoch: dict[str, Any]) -> str:
    return f"val cosine {plain(epoch['val_cos'])}, margin {signed(epoch['margin'])}"
