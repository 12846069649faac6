"""An evaluation as tables: the five tests with their gates, and the yardsticks beside the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table

TESTS = {
    "A": "offset sweep",
    "B": "retrieval",
    "C": "ablations",
    "D": "rollout",
    "E": "coherence bins",
}

FIGURES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "cosine", ("cosine",)),
    ("A", "s(+1), the target", ("A", "offsets", "+1")),
    ("A", "s(0), the last row", ("A", "offsets", "0")),
    ("A", "margin", ("A", "margin")),
    ("B", "R@1", ("B", "all", "r1")),
    ("B", "R@5", ("B", "all", "r5")),
    ("B", "MRR", ("B", "all", "mrr")),
    ("B", "R@5, unseen rows", ("B", "unseen", "r5")),
    ("C", "shuffle", ("C", "shuffle")),
    ("C", "reverse", ("C", "reverse")),
    ("C", "leave one out", ("C", "leave_one_out")),
    ("C", "repeat", ("C", "repeat")),
    ("C", "foreign", ("C", "foreign")),
    ("D", "score, 5 steps", ("D", "score")),
    ("E", "low", ("E", "low", "cosine")),
    ("E", "normal", ("E", "normal", "cosine")),
    ("E", "high", ("E", "high", "cosine")),
)
RATES = {"R@1", "R@5", "R@5, unseen rows"}


def five_tests(evaluation: dict[str, Any]) -> Table:
    """The five tests: figures of the model and the yardsticks on each split, and each letter's gate."""
    splits = list(evaluation["splits"])
    others = evaluation["yardsticks"]
    gates = evaluation["gates"]
    table = Table(
        title=f"{evaluation['protocol']} on {evaluation['corpus']['name']}, gates '{gates['profile']}': "
        f"{gates['passed']}/{gates['of']} passed",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("test", no_wrap=True)
    table.add_column("figure", no_wrap=True)
    for split in splits:
        table.add_column(split.upper(), justify="right", style="bold", no_wrap=True)
    for name in others:
        table.add_column(f"{name}\n{splits[0].upper()}", justify="right", style="dim", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    previous = None
    for letter, label, path in FIGURES:
        first = letter != previous
        previous = letter
        table.add_row(
            f"{letter}  {TESTS[letter]}" if first and letter else "",
            label,
            *(_text(evaluation["splits"][split], path, label) for split in splits),
            *(_text(document["splits"][splits[0]], path, label) for document in others.values()),
            _verdict(gates, letter) if first and letter else "",
        )
    delta = evaluation["E_delta"]["value"]
    if len(splits) > 1:
        cells = ["–" if delta is None else f"{delta:.3f}", *[""] * (len(splits) - 1)]
        table.add_row("", "delta of normal", *cells, *[""] * (len(others) + 1))
    return table


def reasons(evaluation: dict[str, Any]) -> str:
    """Why the letters that did not pass, did not; and what was not evaluated."""
    return "\n".join(_reasons(evaluation))


def _reasons(evaluation: dict[str, Any]) -> Iterator[str]:
    for split in evaluation.get("empty_splits", []):
        yield f"{split.upper()} holds no window and was not evaluated"
    for letter, why in evaluation["gates"]["why"].items():
        yield f"{letter} not passed: {why}"


def _verdict(gates: dict[str, Any], letter: str) -> str:
    if letter not in gates:
        return "[dim]no gate[/]"
    return {True: "[green]pass[/]", False: "[red]fail[/]", None: "[yellow]not measurable[/]"}[gates[letter]]


def _text(node: Any, path: tuple[str, ...], label: str) -> str:
    for key in path:
        node = node[key]
    value = node["value"]
    if value is None:
        return "–"
    signed = path[0] == "C" or label == "margin"
    if label in RATES:
        return f"{value:.1%}"
    value = round(value, 3) + 0.0  # no −0.000
    return f"{value:+.3f}" if signed else f"{value:.3f}"
