"""An evaluation as tables: the five tests with their gates, and the yardsticks beside the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from lvmcore.evaluation.figures import NONE, plain, rate, signed
from lvmcore.report.format import LABELS, TESTS
from lvmcore.report.tables import Fitting, add_columns, new_table

Path = tuple[str, ...]
Result = dict[str, Any]
"""What was measured on one split."""
Row = tuple[str, str, Callable[[Result], Text]]
"""The letter of a test, what the row is called, and its cell of a split."""

RATES = {"r1", "r5"}
SIGNED = {"margin", "margin_last", "direction", "gain", "C"}
OUTCOMES = {True: ("pass", "green"), False: ("fail", "red"), None: ("not measurable", "yellow")}


def five_tests(evaluation: dict[str, Any]) -> Fitting:
    """The five tests: figures with their 95 % intervals on each split, and each letter's gate.

    The verdicts stand in columns of their own, else beside the tests' names; a narrow terminal has no intervals.
    """
    return Fitting([_gates_beside(evaluation), _gates_above(evaluation, True), _gates_above(evaluation, False)])


def _gates_beside(evaluation: dict[str, Any]) -> Table:
    splits, profiles = evaluation["splits"], profiles_of(evaluation)
    table = new_table(_title(evaluation))
    add_columns(table, "test", "figure", *(f"{name.upper()}  95 %" for name in splits))
    add_columns(table, *(profile["profile"] for profile in profiles))
    previous = ""
    for letter, label, cell in _rows(evaluation, intervals=True):
        first = letter != previous
        previous = letter
        table.add_row(
            Text(f"{letter}  {TESTS.get(letter, '')}" if first else ""),
            _label(label),
            *map(cell, splits.values()),
            *(_verdict(profile, letter) for profile in profiles if first),
        )
    return table


def _gates_above(evaluation: dict[str, Any], intervals: bool) -> Table:
    splits, profiles = evaluation["splits"], profiles_of(evaluation)
    table = new_table(_title(evaluation))
    add_columns(table, "", *(f"{name.upper()}  95 %" if intervals else name.upper() for name in splits))
    previous = ""
    for letter, label, cell in _rows(evaluation, intervals):
        if letter != previous:
            verdicts = [Text.assemble(_verdict(one, letter), (f" {one['profile']}", "dim")) for one in profiles]
            if len(splits) < len(verdicts):
                verdicts = [Text(", ").join(verdicts)]
            table.add_row(Text(f"{letter}  {TESTS.get(letter, '')}", style="bold"), *verdicts)
        previous = letter
        table.add_row(Text.assemble("   " if letter else "", _label(label)), *map(cell, splits.values()))
    return table


def _title(evaluation: dict[str, Any]) -> str:
    passed = ", ".join(f"{one['passed']}/{one['of']} of '{one['profile']}'" for one in profiles_of(evaluation))
    return f"{evaluation['protocol']} on {evaluation['corpus']['name']}: {passed}"


def _rows(evaluation: dict[str, Any], intervals: bool) -> Iterator[Row]:
    first = next(iter(evaluation["splits"].values()))

    def figure(*path: str) -> Callable[[Result], Text]:
        return lambda result: _figure(_at(result, path), path, intervals)

    yield "", "cosine", figure("cosine")
    for name in first["A"]["offsets"]:
        yield "A", f"s({name})", figure("A", "offsets", name)
    for name in ("margin", "margin_last", "gain", "direction"):
        if first["A"][name]["value"] is not None:
            yield "A", name.replace("_", " "), figure("A", name)
    for kind, rows in (("all", "all rows"), ("unseen", "unseen rows")):
        if first["B"][kind] is not None:
            for name, label in LABELS.items():
                yield "B", f"{label}, {rows}", figure("B", kind, name)
            yield "B", "~chance R@1, R@5", lambda result, kind=kind: _chance(result["B"][kind])
    for name in ("shuffle", "reverse", "leave_one_out", "repeat", "foreign"):
        yield "C", name.replace("_", " "), figure("C", name)
    yield "D", "score, 5 steps", figure("D", "score")
    if any(step["value"] is not None for step in first["D"]["curve"]):
        yield "D", "~steps 2 to 5", lambda result: _curve(result["D"]["curve"])
    for name in ("low", "normal", "high"):
        yield "E", name, figure("E", name, "cosine")
    if evaluation["E_delta"]["value"] is not None:
        delta = _figure(evaluation["E_delta"], ("E",), intervals)
        yield "E", "|normal VAL − OOD|", lambda result: delta if result is first else Text()
    if any(first["E"][name]["gain"]["value"] is not None for name in ("low", "normal", "high")):
        for name in ("low", "normal", "high"):
            yield "E", f"gain, {name}", figure("E", name, "gain")
    yield "E", "~windows l, n, h", lambda result: _counts(result["E"])
    for letter in [key for key in first if len(key) == 1 and key not in TESTS]:  # checks of plugins
        for name in first[letter]:
            yield letter, name.replace("_", " "), figure(letter, name)


def _label(label: str) -> Text:
    """A label; one that begins with ~ is of a row that explains those above it."""
    return Text(label[1:], style="dim") if label.startswith("~") else Text(label)


def _chance(found: dict[str, Any]) -> Text:
    values = [rate(found[f"chance_{name}"]["value"]) for name in ("r1", "r5")]
    return Text(f"{values[0]:>7}  {values[1]}", style="dim")


def _curve(curve: list[dict[str, Any]]) -> Text:
    """The steps after the first, which predicts the target as all other tests do."""
    return Text(f"  {' '.join(plain(step['value'], 2) for step in curve[1:])}", style="dim")


def _counts(bins: dict[str, Any]) -> Text:
    low, normal, high = (f"{bins[name]['windows']:,}" for name in ("low", "normal", "high"))
    return Text(f"{low:>7}  {normal}  {high}", style="dim")


def windows(evaluation: dict[str, Any]) -> Text:
    """What the figures are means over, a line a split."""
    lines = []
    for name, result in evaluation["splits"].items():
        retrieval = result["B"]["all"]
        lines.append(
            f"{name.upper():>4}  {result['windows']:,} windows of {result['articles']:,} articles, "
            f"{retrieval['duplicates']:,} duplicates, {retrieval['skipped_articles']:,} articles skipped in B"
        )
    return Text("\n".join(lines) + "\n", style="dim")


BESIDE: dict[str, Path] = {
    "cosine": ("cosine",),
    "gain": ("A", "gain"),
    "direction": ("A", "direction"),
    "margin": ("A", "margin"),
    "R@1": ("B", "all", "r1"),
    "R@5": ("B", "all", "r5"),
    "R@5 unseen": ("B", "unseen", "r5"),
    "rollout": ("D", "score"),
}
GOES_FIRST = ("R@1", "direction", "R@5", "rollout")
"""The columns that a narrow terminal can do without, in the order in which they go."""


def beside(evaluation: dict[str, Any]) -> Fitting:
    """The model and the yardsticks on the first split."""
    return Fitting(_beside(evaluation, GOES_FIRST[:count]) for count in range(len(GOES_FIRST) + 1))


def _beside(evaluation: dict[str, Any], without: tuple[str, ...]) -> Table:
    split = next(iter(evaluation["splits"]))
    columns = {name: path for name, path in BESIDE.items() if name not in without}
    keys = ["gates", "causal"][: len(profiles_of(evaluation))]
    table = new_table(f"beside it, on {split.upper()}")
    add_columns(table, "")
    add_columns(table, *columns, *(evaluation[key]["profile"] for key in keys), right=True)
    for name, document in [("this model", evaluation), *evaluation["yardsticks"].items()]:
        result = document["splits"][split]
        cells = [_text(found["value"] if (found := _at(result, path)) else None, path) for path in columns.values()]
        verdicts = [f"{document[key]['passed']}/{document[key]['of']}" for key in keys]
        table.add_row(*map(Text, [name, *cells, *verdicts]), style="bold" if document is evaluation else "dim")
    return table


def profiles_of(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """The verdict of the profile that was asked for and, beside another, that of `causal`."""
    gates, causal = evaluation["gates"], evaluation["causal"]
    return [gates] if causal is None or gates["profile"] == "causal" else [gates, causal]


def _at(node: Any, path: Path) -> dict[str, Any] | None:
    for key in path:
        node = node[key] if node is not None else None
    return node


def _figure(figure: dict[str, Any] | None, path: Path, intervals: bool) -> Text:
    if figure is None or figure["value"] is None:
        return Text(NONE)
    text = Text(f"{_text(figure['value'], path):>7}")
    if intervals and figure["low"] is not None:
        text.append(f"  {_text(figure['low'], path)} … {_text(figure['high'], path)}", style="dim")
    return text


def _verdict(gates: dict[str, Any], letter: str) -> Text:
    if not letter:
        return Text()
    return Text(*OUTCOMES[gates[letter]]) if letter in gates else Text("no gate", style="dim")


def _text(value: float | None, path: Path) -> str:
    if path[-1] in RATES:
        return rate(value)
    return signed(value) if SIGNED & {path[0], path[-1]} else plain(value)
