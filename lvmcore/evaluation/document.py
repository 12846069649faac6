"""The form of an evaluation, `"schema": 1`: nested tables of figures and counts, as the tests declare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from lvmcore.errors import LvmError
from lvmcore.evaluation.checks import Check
from lvmcore.evaluation.figures import COSINE, Columns, Declared, Estimate, estimates
from lvmcore.evaluation.statistics import Statistics
from lvmcore.records import checked, shortened
from lvmcore.variants.gates import parse_rule

SCHEMA = 1
MOST = 1 << 63
"""A count is less."""


@attrs.frozen
class _Corpus:
    name: str = "?"
    digest: str = ""


@attrs.frozen
class _Condition:
    letter: str
    figure: str
    split: str
    condition: str = attrs.field(validator=lambda _, __, text: parse_rule(text) and None)
    value: float | None = None
    holds: bool | None = None


@attrs.frozen
class _Gates:
    profile: str
    passed: int
    of: int
    why: dict[str, str] = attrs.field(factory=dict)
    conditions: tuple[_Condition, ...] = ()


@attrs.frozen
class _Measured:
    splits: dict[str, dict[str, Any]]
    gates: _Gates
    causal: _Gates | None = None
    differences: dict[str, dict[str, dict[str, Any]]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class _Document(_Measured):
    protocol: str
    corpus: _Corpus = _Corpus()
    schema: int = SCHEMA
    context: int | None = None
    max_windows: int | None = None
    warnings: tuple[str, ...] = ()
    yardsticks: dict[str, _Measured] = attrs.field(factory=dict)


@attrs.frozen
class _Figure:
    value: float | None
    low: float | None
    high: float | None


def checked_document(value: Any, where: str) -> dict[str, Any]:
    """A document as it was read, if it is one.

    Raises:
        LvmError: it is of a newer lvm, or holds something else than it should; the place is named.
    """
    if isinstance(value, dict) and isinstance(schema := value.get("schema"), int) and schema > SCHEMA:
        raise LvmError("the evaluation was made by a newer lvm", where=where, fix="pip install -U lvmcore")
    held = checked(value, _Document, where, "the file is no evaluation")
    for one in (value, *(value["yardsticks"][name] for name in held.yardsticks)):
        for key in [key for key in one if key in ("splits", "differences") or key[1:2] == "_"]:
            _require_figures(one[key], key, where)
        for gates in (one["gates"], one.get("causal") or {}):
            if wrong := [key for key, holds in gates.items() if len(key) == 1 and holds not in (True, False, None)]:
                raise LvmError(f"gate {wrong[0]} neither passed nor failed: {shortened(gates[wrong[0]])}", where=where)
    return value


def _require_figures(node: Any, path: str, where: str) -> None:
    """See that all below a place are figures, counts, and tables and lists of these."""
    if isinstance(node, dict) and "value" in node:
        checked(node, _Figure, where, f"{path} is no figure")
    elif isinstance(node, dict | list):
        for key, item in node.items() if isinstance(node, dict) else enumerate(node, 1):
            _require_figures(item, f"{path}.{key}", where)
    elif not isinstance(node, int | float | None) or abs(node or 0) > MOST:
        raise LvmError(f"{path} is neither a figure nor a count: {shortened(node)}", where=where)


class Evaluation:
    """One evaluation: `evaluation["val"]["A"]["margin"].value`, with `.low` and `.high` for its interval.

    Args:
        document: as `lvm eval --json` prints it.
        columns: the per-window values by split and column, where they are at hand.
        windows: split → the windows that they are of.
    """

    def __init__(
        self,
        document: dict[str, Any],
        columns: Mapping[str, Columns] | None = None,
        windows: Mapping[str, Any] | None = None,
    ) -> None:
        self.document, self.columns, self.windows = document, dict(columns or {}), dict(windows or {})

    def __getitem__(self, split: str) -> dict[str, Any]:
        """The figures of a split as `Estimate`, nested as in the document.

        Raises:
            LvmError: it was not evaluated.
        """
        if split not in self.document["splits"]:
            raise LvmError(f"split '{split}' was not evaluated", expected=", ".join(self.document["splits"]))
        return _estimated(self.document["splits"][split])

    def __repr__(self) -> str:
        gates = self.document["gates"]
        return (
            f"<Evaluation of {self.document['model']} on {self.document['corpus']['name']} by "
            f"{self.document['protocol']}: {gates['passed']}/{gates['of']} of '{gates['profile']}'>"
        )

    @property
    def splits(self) -> list[str]:
        return list(self.document["splits"])

    @property
    def gates(self) -> dict[str, Any]:
        """The verdict of the profile that was asked for: letters, how many passed of how many, and why not all."""
        return self.document["gates"]

    @property
    def yardsticks(self) -> dict[str, Evaluation]:
        """What the yardsticks beside it got."""
        about = {key: self.document.get(key) for key in ("protocol", "corpus", "context")}
        found = self.document.get("yardsticks", {})
        return {name: Evaluation({**about, "model": name, **held}) for name, held in found.items()}

    def figures(self) -> list[dict[str, Any]]:
        """Every figure as a row of plain data, ready for a data frame: split, figure, value, low, high."""
        rows = [
            {"split": split, "figure": key, **attrs.asdict(found)}
            for split, table in self.document["splits"].items()
            for key, found in estimates(table)
        ]
        whole = {key: held for key, held in self.document.items() if key[1:2] == "_"}
        return rows + [
            {"split": "both", "figure": key.replace("_", ".", 1), **attrs.asdict(found)}
            for key, found in estimates(whole)
        ]


def _estimated(node: Any) -> Any:
    if isinstance(node, Mapping):
        if set(node) == {"value", "low", "high"}:
            return Estimate(**node)
        return {key: _estimated(item) for key, item in node.items()}
    return [_estimated(item) for item in node] if isinstance(node, list) else node


def measured(statistics: Mapping[str, Statistics], checks: Sequence[Check]) -> dict[str, Any]:
    """All splits, and the figures that compare them."""
    document: dict[str, Any] = {"splits": {split: _split(found, checks) for split, found in statistics.items()}}
    for check in checks:
        for one in check.declared:
            if one.figure.aggregate == "spread":
                (place,) = one.path
                document[place] = attrs.asdict(_spread(one, statistics))
    return document


def _split(statistics: Statistics, checks: Iterable[Check]) -> dict[str, Any]:
    """The figures of one split."""
    table: dict[str, Any] = {
        "cosine": attrs.asdict(statistics.figure("cosine", COSINE)),
        "windows": statistics.count("cosine"),
        "articles": statistics.articles,
    }
    for check in checks:
        table[check.letter] = {}
        if check.fault:
            continue
        for one in check.declared:
            if one.figure.aggregate != "spread":
                _place(table, one.path, attrs.asdict(_estimate(one, statistics)))
        for count in check.counts:
            _place(table, (check.letter, *count.name.split(".")), check.count(count, statistics))
        table[check.letter] = _with_lists(table[check.letter])
    return table


def _estimate(one: Declared, statistics: Statistics) -> Estimate:
    if one.figure.aggregate == "share":
        statistics = statistics.above_0(one.column)
    return statistics.figure(one.column, one.figure.range)


def _spread(one: Declared, statistics: Mapping[str, Statistics]) -> Estimate:
    """How far a figure is apart on VAL and OOD: |VAL − OOD|."""
    if not {"val", "ood"} <= set(statistics):
        return Estimate(None)
    column = f"{one.letter}/{one.figure.of.replace('.', '/')}"
    val, ood = (statistics[split].bootstrap(column) for split in ("val", "ood"))
    return _absolute(val.minus(ood).estimate())


def _absolute(found: Estimate) -> Estimate:
    if found.value is None or found.low is None or found.high is None:
        return Estimate(None if found.value is None else abs(found.value))
    ends = sorted((abs(found.low), abs(found.high)))
    return Estimate(abs(found.value), 0.0 if found.low <= 0 <= found.high else ends[0], ends[1])


def _place(table: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        table = table.setdefault(part, {})
    table[path[-1]] = value


def _with_lists(node: Any) -> Any:
    """The same with lists in place of tables whose keys are 1, 2, 3 …"""
    if not isinstance(node, dict):
        return node
    node = {key: _with_lists(item) for key, item in node.items()}
    return list(node.values()) if node and list(node) == [str(i + 1) for i in range(len(node))] else node
