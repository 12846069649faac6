"""The comparison of runs: one row a run, in the form of the document of 2025-11-02. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from lvmcore.runs import Run

RANKED = ("val_cos", "margin", "r1", "r5", "passed")
"""The columns whose best value is marked; higher is better in all of them."""

BYTES_A_PARAMETER = 3 * 4
"""Size is that of a training checkpoint, as in the document: float32 weights and AdamW's two moments."""


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table; None where a figure was not measured."""

    number: int | None
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
    protocol: str
    profile: str
    """The gate profile that `passed` counts."""
    corpus: str

    @property
    def size_text(self) -> str:
        return "–" if self.size is None else f"{self.size:.0f}M" if self.size >= 10 else f"{self.size:.1f}M"

    @property
    def gates_text(self) -> str:
        return "–" if self.passed is None else f"{self.passed}/{self.of}"

    def text(self, column: str) -> str:
        """A figure of a ranked column as it is printed."""
        value = getattr(self, column)
        if column == "passed":
            return self.gates_text
        if value is None:
            return "–"
        return f"{value:+.3f}" if column == "margin" else f"{value:.3f}" if column == "val_cos" else f"{value:.1%}"


@attrs.frozen
class Comparison:
    """Rows, newest first, and the yardsticks of each corpus below them."""

    rows: tuple[Row, ...]
    yardsticks: tuple[Row, ...]

    @property
    def corpora(self) -> list[str]:
        return sorted({row.corpus for row in self.rows})

    def is_best(self, row: Row, column: str) -> bool:
        """Whether a row's figure is the best of a column, among models measured alike.

        Alike: on one corpus, by one protocol, and gates by one profile.
        """
        alike = [r for r in self.rows if (r.corpus, r.protocol) == (row.corpus, row.protocol)]
        if column == "passed":
            alike = [r for r in alike if r.profile == row.profile]
        values = [value for one in alike if (value := getattr(one, column)) is not None]
        return row.number is not None and len(values) > 1 and getattr(row, column) == max(values)


def compare(runs: Iterable[Run]) -> Comparison:
    """The comparison of runs; they are numbered by age."""
    ordered = sorted(runs, key=lambda run: (run.record.get("started", ""), run.path.name))
    rows = [_row(number, run) for number, run in enumerate(ordered, 1)]
    return Comparison(tuple(reversed(rows)), tuple(_yardsticks(ordered)))


def _row(number: int, run: Run) -> Row:
    record, evaluation = run.record, run.evaluation() or {}
    parameters = record.get("parameters")
    return Row(
        number=number,
        model=(record.get("variant") or {}).get("title") or record["name"],
        run=run.path.name,
        date=record.get("started", "")[:16].replace("T", " "),
        size=parameters and parameters * BYTES_A_PARAMETER / 2**20,
        approach=approach(record.get("variant") or {}),
        status=status_text(record),
        **_figures(evaluation or _last_validation(run)),
        corpus=record.get("corpus", {}).get("name", "?"),
    )


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
        "protocol": evaluation.get("protocol", "5cat"),
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


def _yardsticks(runs: list[Run]) -> Iterable[Row]:
    """Each corpus's yardsticks, from the newest evaluation on it."""
    newest: dict[tuple[str, str], Row] = {}
    for run in runs:
        evaluation = run.evaluation() or {}
        corpus = evaluation.get("corpus", {}).get("name", "?")
        for name, document in evaluation.get("yardsticks", {}).items():
            figures = _figures({**document, "protocol": evaluation["protocol"]})
            newest[corpus, name] = Row(
                number=None, model=name, run="", date="", size=None, approach="yardstick", status="",
                corpus=corpus, **figures,
            )  # fmt: skip
    return newest.values()


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


def status_text(record: dict[str, Any]) -> str:
    """Status with what is worth saying of it."""
    reasons = [record.get("reason", ""), record.get("note", "")]
    said = "; ".join(reason for reason in reasons if reason)
    return f"{record['status']}: {said}" if said else record["status"]
