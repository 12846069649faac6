"""The comparison of runs: one row a run, in the form of the document of 2025-11-02. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs

from lvmcore.errors import LvmError
from lvmcore.evaluation.figures import NONE
from lvmcore.evaluation.protocols import DEFAULT
from lvmcore.registry import Registry
from lvmcore.report.columns import Column, columns_named
from lvmcore.report.details import BYTES_A_PARAMETER, Details, approach, approach_of, details_of, status_text
from lvmcore.report.tables import count, mebibytes
from lvmcore.runs.folder import age, numbers
from lvmcore.runs.run import DAMAGED, Run
from lvmcore.variants.variant import Variant

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
    parameters: int | None
    size: float | None
    """MiB of a training checkpoint: weights and two moments."""
    approach: str
    loss: str
    lr: float | None
    epochs: int | None
    seed: int | None
    figures: dict[str, float | None]
    """By the keys of the columns."""
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
        return mebibytes(self.size and self.size * 2**20)

    @property
    def parameters_text(self) -> str:
        return count(self.parameters)

    @property
    def model_text(self) -> str:
        """The model; of figures by another protocol than the default, with that."""
        return self.model if self.protocol == DEFAULT else f"{self.model} ({self.protocol})"

    def record(self) -> dict[str, Any]:
        """The row as one flat table, for programs."""
        held = attrs.asdict(self)
        figures, on = held.pop("figures"), held.pop("measured_on")
        flat: dict[str, Any] = {}
        for key, value in held.items():
            flat |= {**figures, key: value} if key == "passed" else {key: value}
        return {**flat, "corpus_digest": on[0], "max_windows": on[1]}


@attrs.frozen
class Comparison:
    """Rows, newest first, the yardsticks of each corpus below them, and what is told of each run."""

    rows: tuple[Row, ...]
    yardsticks: tuple[Row, ...]
    details: tuple[Details, ...] = ()
    columns: tuple[Column, ...] = ()

    @property
    def corpora(self) -> list[str]:
        return sorted({row.corpus for row in self.rows if row.kind == "run" and row.corpus})

    def gates_text(self, row: Row) -> str:
        """`2/5`; where not all are judged by one profile, with that."""
        if row.passed is None:
            return NONE
        return f"{row.passed}/{row.of}" + (f" {row.profile}" if self._several_profiles else "")

    def text(self, row: Row, column: Column | None) -> str:
        """A figure of a row as it is printed; without a column, its gates."""
        return self.gates_text(row) if column is None else column.figure.text(row.figures.get(column.key))

    def is_best(self, row: Row, column: Column | None) -> bool:
        """Whether a row's figure is the best of a column, among models measured alike; without a column, its gates.

        Alike: on the same windows, by one protocol, and gates by one profile. Where all are equal as printed, none is.
        """
        return row.kind == "run" and self.text(row, column) == self._best.get(_contest(row, column))

    @cached_property
    def _several_profiles(self) -> bool:
        """Whether not all rows with gates are judged by one profile."""
        return len({one.profile for one in (*self.rows, *self.yardsticks) if one.passed is not None}) > 1

    @cached_property
    def _best(self) -> dict[tuple[Any, ...], str]:
        """The best of each column among the runs that are measured alike, as it is printed."""
        ranked = [*(column for column in self.columns if column.figure.better), None]
        lowest = {column.key for column in ranked if column and column.figure.better == "lower"}
        found: dict[tuple[Any, ...], dict[float, str]] = {}
        for row in self.rows:
            for column in ranked if row.kind == "run" else ():
                value = row.figures.get(column.key) if column else row.passed
                if value is not None:
                    found.setdefault(_contest(row, column), {})[value] = self.text(row, column)
        return {
            contest: texts[min(texts) if contest[0] in lowest else max(texts)]
            for contest, texts in found.items()
            if len(set(texts.values())) > 1
        }


def _contest(row: Row, column: Column | None) -> tuple[Any, ...]:
    """What a row's figure is the best of, where it is; without a column, its gates."""
    return (column.key if column else None, row.measured_on, row.protocol, None if column else row.profile)


def compare(
    runs: Iterable[Run], registry: Registry, reported: Iterable[Variant] | None = None, columns: str = ""
) -> Comparison:
    """The comparison of runs; they are numbered by age among all of their folder, so that a number stays the run's.

    A run whose files cannot be read is a row that says why.

    Args:
        reported: variants whose published figures stand beside ours: below their runs, else in rows of their own.
            A run that was evaluated by other protocols as well has a row of each.
        columns: an expression: other columns than the default ones.
    """
    shown = columns_named(columns, registry)
    ordered = sorted(runs, key=age)
    published = {variant.name: variant for variant in reported or () if variant.reported}
    number_of = numbers(ordered)
    rows: list[Row] = []
    details: list[Details] = []
    yardsticks: dict[tuple[Any, ...], Row] = {}
    for run in reversed(ordered):
        number = number_of[run.path]
        if run.status == DAMAGED:
            rows.append(_damaged(number, run))
            continue
        try:
            own = _rows(number, run, shown, reported is not None)
            variant = published.get(run.record["name"])
            told = details_of(number, run, registry, own[0].model, own[0].status, variant.reported if variant else None)
            measured = list(_yardsticks(run, shown))
        except UNREADABLE as problem:
            rows.append(_damaged(number, run.as_damaged(problem)))
            continue
        rows += own
        details.append(told)
        for row in measured:
            yardsticks.setdefault((row.measured_on, row.model, row.profile), row)
        if variant:
            rows.append(attrs.evolve(_reported(variant, shown), approach=""))  # it stands in the run's row
    names = {run.record["name"] for run in ordered}
    rows += [_reported(variant, shown) for name, variant in published.items() if name not in names]
    return Comparison(tuple(rows), tuple(yardsticks.values()), tuple(details), shown)


def _rows(number: int, run: Run, columns: Sequence[Column], reported: bool) -> list[Row]:
    """A run's row, and those of its evaluations by other protocols."""
    rows = [_row(number, run, columns)]
    for protocol in run.protocols if reported else ():
        if protocol != DEFAULT and (other := run.document_by(protocol)):
            figures = {**_corpus(other), **_figures(other, columns)}
            rows.append(attrs.evolve(rows[0], approach="", status="", outcome="", **figures))
    return rows


def _damaged(number: int, run: Run) -> Row:
    """A row without figures."""
    return Row(
        kind="run", number=number, model=str(run.record["name"]), run=run.path.name, status=status_text(run),
        outcome=run.status, **_BARE, **_corpus({}), **_figures({}, ()),
    )  # fmt: skip


def _row(number: int, run: Run, columns: Sequence[Column]) -> Row:
    record, evaluation = run.record, run.document_by() or {}
    variant, parameters = record.get("variant") or {}, record.get("parameters")
    figures = _figures(evaluation, columns) if evaluation else {**_figures({}, ()), **_last_validation(run, columns)}
    return Row(
        kind="run",
        number=number,
        model=variant.get("title") or record["name"],
        run=run.path.name,
        date=record.get("started", "")[:16].replace("T", " "),
        parameters=parameters,
        size=parameters and parameters * BYTES_A_PARAMETER / 2**20,
        approach=approach_of(record),
        loss=variant.get("loss", ""),
        lr=variant.get("lr"),
        epochs=variant.get("epochs"),
        seed=record.get("seed"),
        status=status_text(run),
        outcome=status_text(run, brief=True),
        **figures,
        **_corpus(evaluation if "corpus" in evaluation else record),
    )


_BARE: dict[str, Any] = {
    "date": "", "parameters": None, "size": None, "approach": "", "loss": "", "lr": None, "epochs": None, "seed": None,
}  # fmt: skip
"""What a row that is no run's says of how it was made."""


def _reported(variant: Variant, columns: Sequence[Column]) -> Row:
    """The published figures of a variant, on the corpus and by the protocol of their authors."""
    published = variant.reported
    assert published is not None
    passed, of = map(int, published.gates.split("/")) if published.gates else (None, None)
    status = f"reported: {published.note}" if published.note else "reported"
    # the table's margin is that of a diagnostic, too, whose protocol stands beside it
    known = {key.replace("margin_last", "margin"): one.val for key, one in published.figures().items()}
    return Row(**{
        **_BARE,
        "kind": "reported",
        "number": None,
        "model": variant.title or variant.name,
        "run": "",
        "date": variant.date,
        "approach": approach(attrs.asdict(variant)),
        "figures": {column.key: known.get(column.declared.key) for column in columns},
        "passed": passed,
        "of": of,
        "status": status,
        "outcome": status,
        "protocol": published.protocol,
        "profile": "table",
        "corpus": "that of the source",
        "measured_on": ("", None),
    })  # fmt: skip


def _corpus(document: dict[str, Any]) -> dict[str, Any]:
    """What the figures of an evaluation were measured on; of a run without one, what it was trained on."""
    corpus = document.get("corpus", {})
    measured_on = corpus.get("digest") or corpus.get("name", "?"), document.get("max_windows")
    return {"corpus": corpus.get("name", "?"), "measured_on": measured_on}


def _figures(evaluation: Mapping[str, Any], columns: Iterable[Column]) -> dict[str, Any]:
    gates = evaluation.get("gates", {})
    return {
        "figures": {column.key: column.declared.value(evaluation, "val") for column in columns},
        "passed": gates.get("passed"),
        "of": gates.get("of"),
        "protocol": evaluation.get("protocol", DEFAULT),
        "profile": gates.get("profile", ""),
    }


def _last_validation(run: Run, columns: Iterable[Column]) -> dict[str, Any]:
    """For a run that was not evaluated, what its best epoch was validated at."""
    best = [epoch for epoch in run.epochs if epoch.get("best")]
    return {"figures": {column.key: best[-1].get(column.key) if best else None for column in columns}}


def _yardsticks(run: Run, columns: Sequence[Column]) -> Iterator[Row]:
    """The yardsticks beside a run's evaluation."""
    evaluation = run.document_by() or {}
    for name, document in evaluation.get("yardsticks", {}).items():
        figures = _figures({**document, "protocol": evaluation["protocol"]}, columns)
        about = {**_BARE, "approach": "yardstick"}
        yield Row(
            kind="yardstick", number=None, model=name, run="", status="", outcome="", **about, **_corpus(evaluation),
            **figures,
        )  # fmt: skip
