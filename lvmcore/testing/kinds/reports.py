"""What a format of `lvm compare` promises."""

from __future__ import annotations

import io
from typing import Any

import attrs
from rich.console import Console

from lvmcore.evaluation.figures import Declared, Figure
from lvmcore.report.columns import Column
from lvmcore.report.comparison import Comparison, Row
from lvmcore.testing.promises import Subject, expect, promise


def row(**given: Any) -> Row:
    """A row of the comparison; what is not said is a name where it must be a text, and else was not measured."""
    named = {field.name: field.name for field in attrs.fields(Row) if field.type in (str, "str")}
    unmeasured = {field.name: None for field in attrs.fields(Row)}
    return Row(**{**unmeasured, **named, "measured_on": ("", None), "figures": {}, **given})


MEASURED = {"val_cos": 0.5405, "margin": -0.061, "r1": 0.01, "r5": 0.48}
COLUMNS = tuple(
    Column(Declared("A", Figure(key, label, key=key, better="higher")))
    for key, label in (("val_cos", "cosine"), ("margin", "margin"), ("r1", "R@1"), ("r5", "R@5"))
)
FIGURES = {"parameters": 17_867_520, "size": 204.5, "figures": MEASURED, "passed": 3, "of": 5}
FULL = row(number=1, model="P4 | a, “quoted” [name]", approach="mse+dir:0.002", corpus="wiki", **FIGURES)
BARE = row(number=2, model="bare", corpus="wiki")
YARDSTICK = row(model="copy-last", corpus="kjv", **FIGURES)

COMPARISONS = (
    ("no rows", Comparison((), (), columns=COLUMNS)),
    ("a row without figures", Comparison((BARE,), (), columns=COLUMNS)),
    ("rows and yardsticks of two corpora", Comparison((FULL, BARE), (YARDSTICK,), columns=COLUMNS)),
)


def shown(given: Any) -> str:
    """The text of a report, whether it is a text or something that rich draws."""
    console = Console(file=io.StringIO(), width=200)
    console.print(given, markup=False)
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


@promise("report")
def shows_every_comparison(subject: Subject) -> None:
    """It gives a text, or something that rich can draw, for rows without figures and for none at all."""
    for text, made in subject.settings():
        for what, comparison in COMPARISONS:
            given = shown(made.build()(comparison)).strip()
            expect(given or not comparison.rows, f"it shows nothing of {what}{text}")


@promise("report")
def names_every_model(subject: Subject) -> None:
    """Every model of the comparison can be found in it."""
    for text, made in subject.settings():
        given = shown(made.build()(COMPARISONS[-1][1]))
        for name in ("bare", "copy-last"):
            expect(name in given, f"the model '{name}' is not in it{text}")
