"""The comparison as a table on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lvmcore import Comparison, Row, component

if TYPE_CHECKING:
    from rich.table import Table as RichTable

FIGURES = {"val_cos": "val cos", "margin": "margin", "r1": "R@1", "r5": "R@5", "passed": "gates"}


@component
class Table:
    """A table for the terminal; the best value of each column is bold."""

    def build(self) -> Callable[[Comparison], RichTable]:
        return draw


def draw(comparison: Comparison) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable

    several = len(comparison.corpora) > 1
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right")
    for name in ("model", *(["corpus"] if several else []), "date"):
        table.add_column(name, no_wrap=True)
    table.add_column("size", justify="right")
    table.add_column("approach")
    for name in FIGURES.values():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status")
    rows = [*comparison.rows, *comparison.yardsticks]
    for i, row in enumerate(rows):
        table.add_row(
            "" if row.number is None else str(row.number),
            row.model_text,
            *([row.corpus] if several else []),
            row.date,
            row.size_text,
            row.approach,
            *(_marked(comparison, row, column) for column in FIGURES),
            row.status,
            style="dim" if row.number is None else None,
            end_section=i + 1 == len(comparison.rows),
        )
    return table


def _marked(comparison: Comparison, row: Row, column: str) -> str:
    text = row.text(column)
    return f"[bold green]{text}[/]" if comparison.is_best(row, column) else text
