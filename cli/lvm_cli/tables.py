"""An evaluation as tables: the five tests with their gates, and the yardsticks beside the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

TESTS = {
    "A": "offset sweep",
    "B": "retrieval",
    "C": "ablations",
    "D": "rollout",
    "E": "coherence bins",
}

Path = tuple[str, ...]

RATES = {"r1", "r5"}
SIGNED = {"margin", "margin_last", "direction", "gain", "C"}


def five_tests(evaluation: dict[str, Any]) -> Table:
    """The five tests: figures with their 95 % intervals on each split, and each letter's gate."""
    splits, gates = evaluation["splits"], evaluation["gates"]
    causal = _causal(evaluation)
    table = Table(
        title=f"{evaluation['protocol']} on {escape(evaluation['corpus']['name'])}: {gates['passed']}/{gates['of']} of "
        f"'{gates['profile']}'" + (f", {causal['passed']}/{causal['of']} of 'causal'" if causal else ""),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("test", no_wrap=True)
    table.add_column("figure", no_wrap=True)
    for name in splits:
        table.add_column(f"{name.upper()}  [dim]95 %[/]", no_wrap=True)
    table.add_column(escape(gates["profile"]), no_wrap=True)
    if causal:
        table.add_column("causal", no_wrap=True)
    previous = None
    for label, path in _rows(next(iter(splits.values()))):
        letter = path[0] if len(path[0]) == 1 else ""
        first = letter != previous
        previous = letter
        table.add_row(
            f"{letter}  {TESTS.get(letter, '')}" if first and letter else "",
            label,
            *(_with_interval(_at(result, path), path) for result in splits.values()),
            *(_verdict(profile, letter) if first and letter else "" for profile in (gates, causal) if profile),
        )
        if path == ("E", "high", "cosine"):
            table.add_row("", "|normal VAL − OOD|", _with_interval(evaluation["E_delta"], ("E",)))
    return table


def _rows(result: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    yield "cosine", ("cosine",)
    for name in result["A"]["offsets"]:
        yield f"s({name})", ("A", "offsets", name)
    for name in ("margin", "margin_last", "gain", "direction"):
        if result["A"][name]["value"] is not None:
            yield name.replace("_", " "), ("A", name)
    for kind in ("all", "unseen"):
        if result["B"][kind] is not None:
            for name in ("r1", "r5", "mrr"):
                label = {"r1": "R@1", "r5": "R@5", "mrr": "MRR"}[name]
                yield f"{label}, {'all rows' if kind == 'all' else 'unseen rows'}", ("B", kind, name)
    for name in ("shuffle", "reverse", "leave_one_out", "repeat", "foreign"):
        yield name.replace("_", " "), ("C", name)
    yield "score, 5 steps", ("D", "score")
    for name in ("low", "normal", "high"):
        yield name, ("E", name, "cosine")
    for letter in [key for key in result if len(key) == 1 and key not in TESTS]:  # checks of plugins
        for name in result[letter]:
            yield name.replace("_", " "), (letter, name)


def beside(evaluation: dict[str, Any]) -> Table:
    """The model and the yardsticks on the first split."""
    split = next(iter(evaluation["splits"]))
    table = Table(title=f"beside it, on {split.upper()}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    columns: dict[str, Path] = {
        "cosine": ("cosine",),
        "gain": ("A", "gain"),
        "direction": ("A", "direction"),
        "margin": ("A", "margin"),
        "R@1": ("B", "all", "r1"),
        "R@5": ("B", "all", "r5"),
        "R@5 unseen": ("B", "unseen", "r5"),
        "rollout": ("D", "score"),
    }
    profiles = {evaluation["gates"]["profile"]: "gates"} | ({"causal": "causal"} if _causal(evaluation) else {})
    for name in (*columns, *profiles):
        table.add_column(name, justify="right", no_wrap=True)
    for name, document in [("this model", evaluation), *evaluation["yardsticks"].items()]:
        result = document["splits"][split]
        cells = [_text(found["value"] if (found := _at(result, path)) else None, path) for path in columns.values()]
        verdicts = [f"{document[key]['passed']}/{document[key]['of']}" for key in profiles.values()]
        table.add_row(name, *cells, *verdicts, style="bold" if document is evaluation else "dim")
    return table


def reasons(evaluation: dict[str, Any]) -> str:
    """What to be careful about, and why the letters that did not pass, did not."""
    lines = [f"[yellow]note[/]  {escape(warning)}" for warning in evaluation.get("warnings", [])]
    for verdict in (evaluation["gates"], _causal(evaluation) or {}):
        for letter, why in verdict.get("why", {}).items():
            lines.append(f"[bold]{escape(verdict['profile'])} {letter}[/]  {escape(why)}")
    return "\n".join(lines)


def _causal(evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """The verdict of `causal`, where it stands beside another profile's."""
    return None if evaluation["gates"]["profile"] == "causal" else evaluation["causal"]


def _at(node: Any, path: Path) -> dict[str, Any] | None:
    for key in path:
        node = node[key] if node is not None else None
    return node


def _with_interval(figure: dict[str, Any] | None, path: Path) -> str:
    if figure is None or figure["value"] is None:
        return "–"
    text = f"{_text(figure['value'], path):>7}"
    if figure["low"] is None:
        return text
    return f"{text}  [dim]{_text(figure['low'], path)} … {_text(figure['high'], path)}[/]"


def _verdict(gates: dict[str, Any], letter: str) -> str:
    if letter not in gates:
        return "[dim]no gate[/]"
    return {True: "[green]pass[/]", False: "[red]fail[/]", None: "[yellow]not measurable[/]"}[gates[letter]]


def _text(value: float | None, path: Path) -> str:
    if value is None:
        return "–"
    if path[-1] in RATES:
        return f"{value:.1%}"
    value = round(value, 3) + 0.0  # no −0.000
    return f"{value:+.3f}" if SIGNED & {path[0], path[-1]} else f"{value:.3f}"
