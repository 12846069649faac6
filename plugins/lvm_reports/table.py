"""The comparison as a table on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from lvmcore import Column, Comparison, Row, component

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text

    from lvmcore import tables

FORMS = (("date", "parameters", "approach", "status"), ("parameters", "approach"), ())
"""The columns beside model and figures, for wide, middling and narrow terminals; without a column of its own the
status stands below the model."""


@component
class Table:
    """A table for the terminal; the best value of each column is bold."""

    def build(self) -> Callable[[Comparison], tables.Fitting]:
        return draw


def draw(comparison: Comparison) -> tables.Fitting:
    from lvmcore import tables

    return tables.Fitting(_table(comparison, form) for form in FORMS)


def _table(comparison: Comparison, form: Collection[str]) -> RichTable:
    from rich.text import Text

    from lvmcore import tables

    table = tables.new_table()
    tables.add_columns(table, "#", right=True)
    (tables.add_columns if "status" in form else tables.add_text)(table, "model")
    several = len(comparison.corpora) > 1
    apart = [name for name, wanted in (("corpus", several and "status" in form), ("date", "date" in form)) if wanted]
    tables.add_columns(table, *apart)
    tables.add_columns(table, *(name for name in ("parameters",) if name in form), right=True)
    tables.add_text(table, *(name for name in ("approach",) if name in form))
    tables.add_columns(table, *(column.head for column in comparison.columns), "gates", right=True)
    tables.add_text(table, *(name for name in ("status",) if name in form))
    rows = [*comparison.rows, *comparison.yardsticks]
    for i, row in enumerate(rows):
        facts = {"date": row.date, "parameters": row.parameters_text, "approach": row.approach}
        table.add_row(
            Text("" if row.number is None else str(row.number)),
            *([Text(row.model_text)] if "status" in form else [_model_and_below(row, several)]),
            *([Text(row.corpus)] if several and "status" in form else []),
            *(Text(text) for name, text in facts.items() if name in form),
            *(_marked(comparison, row, column) for column in (*comparison.columns, None)),
            *(Text(row.status) for _ in ("status",) if "status" in form),
            style="dim" if row.number is None else None,
            end_section=i + 1 == len(comparison.rows),
        )
    return table


def _model_and_below(row: Row, several: bool) -> Text:
    """The model, and below it the corpus, where there are several, and the status."""
    from rich.text import Text

    below = " · ".join(text for text in (row.corpus if several else "", row.status) if text)
    return Text.assemble(row.model_text, *([(f"\n{below}", "dim")] if below else []))


def _marked(comparison: Comparison, row: Row, column: Column | None) -> Text:
    from rich.text import Text

    return Text(comparison.text(row, column), style="bold green" if comparison.is_best(row, column) else "")
