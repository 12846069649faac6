"""What is told of one run below the comparison's table: how it was made, what it reached, and when things happened."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from lvmcore.evaluation.figures import Declared, plain, signed
from lvmcore.registry import Registry
from lvmcore.report.columns import checks_in, declared_in
from lvmcore.report.tables import one_line
from lvmcore.runs.run import Run
from lvmcore.variants.gates import by_figure, parse_rule
from lvmcore.variants.published import DIAGNOSTIC, Reported

BYTES_A_PARAMETER = 3 * 4
"""Size is that of a training checkpoint, as in the document: float32 weights and AdamW's two moments."""

Interval = tuple[float, float]
"""The ends of an interval."""


@attrs.frozen
class Target:
    """One figure that a gate is about, on both splits: as it is, as it should be, and whether it holds."""

    letter: str
    test: str
    """What the test is called."""
    figure: str
    label: str
    """The figure in words."""
    val: float | None
    ood: float | None
    wanted: str
    """The conditions of VAL and of OOD, one where they are the same."""
    holds: bool | None
    """None where it can't be measured."""
    val_interval: Interval | None
    ood_interval: Interval | None
    val_text: str
    """The figure on VAL as it is printed, with its interval."""
    ood_text: str


@attrs.frozen
class Published:
    """A figure that was published for a run's variant, and the run's own by the same protocol."""

    figure: str
    label: str
    """The figure in words."""
    val: float | None
    ood: float | None
    published_val: float | None
    published_ood: float | None
    texts: tuple[str, str, str, str]
    """The four numbers as they are printed."""


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


def details_of(
    number: int, run: Run, registry: Registry, model: str, status: str, reported: Reported | None = None
) -> Details:
    """Read a run's folder.

    Args:
        reported: the figures that were published for its variant.
    """
    record = run.record
    evaluation = run.document_by() or {}
    gates = evaluation.get("gates") or {}
    return Details(
        number=number,
        model=model,
        run=one_line(run.path.name),
        status=status,
        started=one_line(record.get("started", "")),
        seconds=record.get("seconds"),
        parameters=record.get("parameters"),
        weights=run.model_file.stat().st_size if run.model_file.is_file() else None,
        settings=dict(_settings(record)),
        gates=one_line(f"{gates['profile']} {gates['passed']}/{gates['of']}") if gates else "",
        measured={s: found["windows"] for s, found in evaluation.get("splits", {}).items() if "windows" in found},
        targets=tuple(_targets(gates.get("conditions", []), evaluation, registry)),
        why=gates.get("why", {}),
        events=tuple(_events(run.epochs, record)),
        served_at=tuple(run.served_at),
        published=tuple(_published(run, reported, registry)) if reported else (),
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


def _targets(conditions: list[dict[str, Any]], evaluation: Mapping[str, Any], registry: Registry) -> Iterator[Target]:
    """The conditions of each figure as one line."""
    if not conditions:
        return
    known = declared_in(evaluation, registry)
    titles = {check.letter: check.title for check in checks_in(evaluation, registry)}
    for key, by_split in by_figure(conditions).items():
        one = known.get(key)
        if one is None:
            continue
        wanted = list(dict.fromkeys(_wanted(one, condition["condition"]) for condition in by_split.values()))
        outcomes = [condition["holds"] for condition in by_split.values()]
        holds = False if False in outcomes else None if None in outcomes else True
        first = "both" if "both" in by_split else "val"
        val, ood = (one.find(evaluation, split) if split in by_split else None for split in (first, "ood"))
        yield Target(
            letter=one.letter,
            test=titles.get(one.letter, ""),
            figure=one.figure.name,
            label=one.figure.label,
            val=val["value"] if val else None,
            ood=ood["value"] if ood else None,
            wanted=" / ".join(wanted),
            holds=holds,
            val_interval=_ends(val),
            ood_interval=_ends(ood),
            val_text=one.figure.interval(val),
            ood_text=one.figure.interval(ood),
        )


def _ends(found: Mapping[str, Any] | None) -> Interval | None:
    return (found["low"], found["high"]) if found and found["low"] is not None else None


def _wanted(one: Declared, condition: str) -> str:
    """A condition as it is printed: a rate's in per cent, as the rate."""
    rule = parse_rule(condition)
    return f"{rule.sign} {rule.threshold:.0%}" if one.figure.is_rate and rule.sign in (">=", "<=") else condition


def _published(run: Run, reported: Reported, registry: Registry) -> Iterator[Published]:
    """What was published, beside the run's own figures by the same protocol."""
    own = (run.document_by() if reported.protocol == DIAGNOSTIC else run.document_by(reported.protocol)) or {}
    known = declared_in(own, registry)
    for key, theirs in reported.figures().items():
        one = known[key]
        val, ood = (one.value(own, split) for split in ("val", "ood"))
        numbers = (val, ood, theirs.val, theirs.ood)
        texts = tuple(one.figure.text(number) for number in numbers)
        yield Published(one.figure.name, one.figure.label, *numbers, texts)  # pyright: ignore[reportArgumentType]


def _events(epochs: list[dict[str, Any]], record: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Stages and terms that begin or end, what the epochs noted, and the best of them, in the order of epochs."""
    best = record.get("best") or {}
    whole = (record.get("windows") or {}).get("train")
    windows, before = whole, None
    for epoch in epochs:
        number, terms = epoch["epoch"], _acting(epoch)
        if before and (stage := epoch.get("stage")) != before.get("stage"):
            yield number, f"stage {stage} begins"
        if whole and (drawn := epoch.get("windows", windows)) != windows:
            yield number, f"{drawn:,} of {whole:,} training windows from here on"
            windows = drawn
        if before:
            begun = [label for label in terms if label not in _acting(before)]
            ended = [label for label in _acting(before) if label not in terms]
            yield from ((number, f"{label} acts no longer") for label in ended)
            if begun:
                yield number, f"{', '.join(begun)} from here on: {reached(before)} → {reached(epoch)}"
        yield from ((number, text) for text in epoch.get("events", ()))
        if number == best.get("epoch"):
            yield number, f"best weights by {best['metric']}: {reached(epoch)}"
        before = epoch


def _acting(epoch: dict[str, Any]) -> list[str]:
    """The losses and inputs that act in an epoch."""
    return [*epoch.get("terms", ()), *(label for label, value in epoch.get("inputs", {}).items() if value)]


def reached(epoch: dict[str, Any]) -> str:
    """What an epoch was validated at, in words."""
    return f"val cosine {plain(epoch.get('val_cos'))}, margin {signed(epoch.get('margin'))}"


def approach_of(record: dict[str, Any]) -> str:
    """What a run does: its variant's approach, and what is different in this run."""
    variant = record.get("variant") or {}
    told = ("data", "gates") if variant.get("approach") else ("data", "gates", "arch", "loss", "inputs", "sampler")
    changed = {key: value for key, value in (record.get("overrides") or {}).items() if key not in told}
    if record.get("ignore_gates"):
        changed["gates"] = "ignored"
    if record.get("size") == "toy":
        changed["size"] = "toy"
    usual = {"seed": 0, "precision": "fp32", "on_collapse": "stop"}
    changed |= {key: record[key] for key, value in usual.items() if record.get(key, value) != value}
    different = ", ".join(f"{key.replace('_', ' ')} {value or 'none'}" for key, value in changed.items())
    return "; ".join(text for text in (approach(variant), different) if text)


def approach(variant: dict[str, Any]) -> str:
    """What a variant does, from its own words or its expressions."""
    if text := variant.get("approach"):
        return text
    parts = [variant.get("arch", ""), variant.get("loss", ""), variant.get("inputs", "")]
    if variant.get("sampler", "full") != "full":
        parts.append(variant["sampler"])
    if stages := variant.get("stages"):
        parts.append(f"{len(stages)} stages")
    return " · ".join(part for part in parts if part)


def status_text(run: Run, brief: bool = False) -> str:
    """Status with what is worth saying of it, and where the run is served; in brief without what follows a colon."""
    record = run.record
    reasons = [record.get("reason", ""), record.get("note", "")]
    if brief:
        reasons = [reason.partition(": ")[0] for reason in reasons]
    said = "; ".join(reason for reason in [*reasons, *(f"served at {url}" for url in run.served_at)] if reason)
    if said.startswith(record["status"]):
        return said
    return f"{record['status']}: {said}" if said else record["status"]
