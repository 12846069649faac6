"""The comparison of runs: one row a run, in the form of the document of 2025-11-02. Needs no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from lvmcore.errors import LvmError
from lvmcore.evaluation.figures import plain, rate, signed
from lvmcore.report.details import BYTES_A_PARAMETER, Details, details_of
from lvmcore.runs.folder import listed_runs
from lvmcore.runs.run import DAMAGED, DEFAULT_PROTOCOL, Run
from lvmcore.variants.published import Figure
from lvmcore.variants.variant import Variant

REPORTED_PROTOCOL = "5cat-2025"
"""What the published figures were measured by, where nothing else is said."""

RANKED = ("val_cos", "margin", "r1", "r5", "passed")
"""The columns whose best value is marked; higher is better in all of them."""

UNREADABLE = (LvmError, KeyError, TypeError, ValueError, AttributeError)
"""What reading a record raises that lacks a key or holds something else than it should."""


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table; None where a figure was not measured."""

    kind: str
    """run, reported (the published figures of the variant above it, or of one that was not run) or yardstick"""
    number: int | None
    """Of a run, by age among all of its folder."""
    model: str
    run: str
    date: str
    size: float | None
    """MiB of a training checkpoint: weights and two moments."""
    approach: str
    val_cos: float | None
    margin: float | None
    r1: float | None
    r5: float | None
    passed: int | None
    of: int | None
    status: str
    outcome: str
    """The status in a few words, without its figures."""
    protocol: str
    profile: str
    """The gate profile that `passed` counts."""
    corpus: str
    measured_on: tuple[str, int | None]
    """What the figures are comparable on: the digest of the corpus, and the limit of windows."""

    @property
    def size_text(self) -> str:
        return "–" if self.size is None else f"{self.size:.0f}M" if self.size >= 10 else f"{self.size:.1f}M"

    @property
    def gates_text(self) -> str:
        return "–" if self.passed is None else f"{self.passed}/{self.of}"

    @property
    def model_text(self) -> str:
        """The model; of figures by another protocol than the default, with that."""
        return self.model if self.protocol == DEFAULT_PROTOCOL else f"{self.model} ({self.protocol})"

    def text(self, column: str) -> str:
        """A figure of a ranked column as it is printed."""
        value = getattr(self, column)
        if column == "passed":
            return self.gates_text
        return {"margin": signed, "val_cos": plain}.get(column, rate)(value)


@attrs.frozen
class Comparison:
    """Rows, newest first, the yardsticks of each corpus below them, and what is told of each run."""

    rows: tuple[Row, ...]
    yardsticks: tuple[Row, ...]
    details: tuple[Details, ...] = ()

    @property
    def corpora(self) -> list[str]:
        return sorted({row.corpus for row in self.rows if row.kind == "run" and row.corpus})

    def is_best(self, row: Row, column: str) -> bool:
        """Whether a row's figure is the best of a column, among models measured alike.

        Alike: on the same windows, by one protocol, and gates by one profile. Where all are equal as printed, none is.
        """
        alike = [
            r for r in self.rows if r.kind == "run" and (r.measured_on, r.protocol) == (row.measured_on, row.protocol)
        ]
        if column == "passed":
            alike = [r for r in alike if r.profile == row.profile]
        values = {value: one.text(column) for one in alike if (value := getattr(one, column)) is not None}
        return row.kind == "run" and len(set(values.values())) > 1 and row.text(column) == values[max(values)]


def compare(runs: Iterable[Run], reported: Iterable[Variant] | None = None) -> Comparison:
    """The comparison of runs; they are numbered by age among all of their folder, so that a number stays the run's.

    A run whose files cannot be read is a row that says why.

    Args:
        reported: variants whose published figures stand beside ours: below their runs, else in rows of their own.
            A run that was evaluated by the protocol of 2025 as well has a row of that too.
    """
    ordered = sorted(runs, key=_age)
    published = {variant.name: variant for variant in reported or () if variant.reported}
    numbers = _numbers(ordered)
    rows: list[Row] = []
    details: list[Details] = []
    yardsticks: dict[tuple[Any, str], Row] = {}
    for run in reversed(ordered):
        number = numbers[run.path]
        if run.status == DAMAGED:
            rows.append(_damaged(number, run))
            continue
        try:
            own = _rows(number, run, reported is not None)
            variant = published.get(run.record["name"])
            told = details_of(number, run, own[0].model, own[0].status, variant.reported if variant else None)
            measured = list(_yardsticks(run))
        except UNREADABLE as problem:
            rows.append(_damaged(number, run.as_damaged(problem)))
            continue
        rows += own
        details.append(told)
        for row in measured:
            yardsticks.setdefault((row.measured_on, row.model), row)  # of the newest evaluation on a corpus
        if variant:
            rows.append(attrs.evolve(_reported(variant), approach=""))  # it stands in the run's row
    names = {run.record["name"] for run in ordered}
    rows += [_reported(variant) for name, variant in published.items() if name not in names]
    return Comparison(tuple(rows), tuple(yardsticks.values()), tuple(details))


def _numbers(runs: Collection[Run]) -> dict[Path, int]:
    """Each run's place by age among all of the folder that it is in."""
    found: dict[Path, int] = {}
    for folder in {run.path.parent for run in runs}:
        given = [run for run in runs if run.path.parent == folder]
        whole = len(given) == sum(1 for _ in folder.glob("*/run.json"))  # then there is nothing to read again
        everyone = sorted(given if whole else listed_runs(folder), key=_age)
        found |= {run.path: number for number, run in enumerate(everyone, 1)}
    return found


def _age(run: Run) -> tuple[str, str]:
    return str(run.record.get("started") or run.path.name), run.path.name  # the name begins with the date


def _rows(number: int, run: Run, reported: bool) -> list[Row]:
    """A run's row, and that of its evaluation by the protocol of the published figures."""
    rows = [_row(number, run, run.evaluation() or _last_validation(run))]
    if reported and (old := run.evaluation(REPORTED_PROTOCOL)):
        rows.append(attrs.evolve(rows[0], approach="", status="", outcome="", **_corpus(old), **_figures(old)))
    return rows


def _damaged(number: int, run: Run) -> Row:
    """A row without figures."""
    return Row(
        kind="run", number=number, model=str(run.record["name"]), run=run.path.name, date="", size=None, approach="",
        status=status_text(run), outcome=run.status, **_corpus({}), **_figures({}),
    )  # fmt: skip


def _row(number: int, run: Run, evaluation: dict[str, Any]) -> Row:
    record = run.record
    parameters = record.get("parameters")
    return Row(
        kind="run",
        number=number,
        model=(record.get("variant") or {}).get("title") or record["name"],
        run=run.path.name,
        date=record.get("started", "")[:16].replace("T", " "),
        size=parameters and parameters * BYTES_A_PARAMETER / 2**20,
        approach=_approach(record),
        status=status_text(run),
        outcome=status_text(run, brief=True),
        **_figures(evaluation),
        **_corpus(evaluation if "corpus" in evaluation else record),
    )


def _reported(variant: Variant) -> Row:
    """The published figures of a variant, on the corpus and by the protocol of their authors."""
    figures = variant.reported
    assert figures is not None
    passed, of = map(int, figures.gates.split("/")) if figures.gates else (None, None)
    status = f"reported: {figures.note}" if figures.note else "reported"

    def val(figure: Figure | None) -> float | None:
        return figure.val if figure else None

    return Row(
        kind="reported",
        number=None,
        model=variant.title or variant.name,
        run="",
        date=variant.date,
        size=None,
        approach=approach(attrs.asdict(variant)),
        val_cos=figures.val_cos,
        margin=val(figures.margin),
        r1=val(figures.r1),
        r5=val(figures.r5),
        passed=passed,
        of=of,
        status=status,
        outcome=status,
        protocol=figures.protocol,
        profile="table",
        corpus="that of the source",
        measured_on=("", None),
    )


def _corpus(document: dict[str, Any]) -> dict[str, Any]:
    """What the figures of an evaluation were measured on; of a run without one, what it was trained on."""
    corpus = document.get("corpus", {})
    measured_on = corpus.get("digest") or corpus.get("name", "?"), document.get("max_windows")
    return {"corpus": corpus.get("name", "?"), "measured_on": measured_on}


def _figures(evaluation: dict[str, Any]) -> dict[str, Any]:
    val = evaluation.get("splits", {}).get("val", {})
    gates = evaluation.get("gates", {})

    def value(*path: str) -> float | None:
        node: Any = val
        for key in path:
            node = node.get(key, {})
        return node.get("value")

    return {
        "val_cos": value("cosine"),
        "margin": value("A", "margin"),
        "r1": value("B", "all", "r1"),
        "r5": value("B", "all", "r5"),
        "passed": gates.get("passed"),
        "of": gates.get("of"),
        "protocol": evaluation.get("protocol", DEFAULT_PROTOCOL),
        "profile": gates.get("profile", ""),
    }


def _last_validation(run: Run) -> dict[str, Any]:
    """For a run that was not evaluated, what its best epoch was validated at."""
    best = [epoch for epoch in run.epochs() if epoch.get("best")]
    if not best:
        return {}
    figure = {key: {"value": best[-1][key]} for key in ("val_cos", "margin", "r1", "r5")}
    val = {
        "cosine": figure["val_cos"],
        "A": {"margin": figure["margin"]},
        "B": {"all": {"r1": figure["r1"], "r5": figure["r5"]}},
    }
    return {"splits": {"val": val}}


def _yardsticks(run: Run) -> Iterator[Row]:
    """The yardsticks beside a run's evaluation."""
    evaluation = run.evaluation() or {}
    for name, document in evaluation.get("yardsticks", {}).items():
        figures = _figures({**document, "protocol": evaluation["protocol"]})
        yield Row(
            kind="yardstick", number=None, model=name, run="", date="", size=None, approach="yardstick", status="",
            outcome="", **_corpus(evaluation), **figures,
        )  # fmt: skip


def _approach(record: dict[str, Any]) -> str:
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
