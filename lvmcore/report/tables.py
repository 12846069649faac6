"""Tables in one style, and how sizes and times stand in them.

On a terminal without room for all, columns go before a figure is cut.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lvmcore.evaluation.figures import NONE
from lvmcore.plain import clean, clean_title, indented

LEAST = 26
"""Columns that a text needs to be read; below that it had better stand elsewhere."""

UNBOUNDED = 10_000


def fact(label: str, said: str) -> Text:
    """A line of a heading: what it is about, and what it says."""
    return Text.assemble((f"{label:>9}", "bold"), "  ", indented(said))


def note(said: str) -> Text:
    """What one may not have meant, or should be careful about."""
    return Text.assemble(("note:", "yellow"), f" {indented(said)}")


def new_table(title: str | None = None) -> Table:
    """An empty table in the style of all."""
    return Table(title=title and clean_title(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def add_columns(table: Table, *names: str, right: bool = False) -> None:
    """Columns that are never wrapped: figures and names."""
    for name in names:
        table.add_column(name, no_wrap=True, justify="right" if right else "left")


def add_text(table: Table, *names: str) -> None:
    """Columns that wrap where there is no room."""
    for name in names:
        table.add_column(name, overflow="fold")


def estimate(found: Mapping[str, Any] | None, text: Callable[[float | None], str], interval: bool = True) -> Text:
    """A cell of a value, as `text` prints it, and faintly of its interval, where it has one."""
    cell = Text(f"{text(found['value'] if found else None):>7}")
    if interval and found and found["low"] is not None:
        cell.append(f"  {text(found['low'])} … {text(found['high'])}", style="dim")
    return cell


def csv_table(records: Sequence[dict[str, Any]]) -> str:
    """Comma-separated values, a line a record; an empty field was not measured."""
    text = io.StringIO()
    keys = dict.fromkeys(key for record in records for key in record)
    writer = csv.DictWriter(text, list(keys), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: one_line(held) if isinstance(held, str) else held for key, held in one.items()} for one in records
    )
    return text.getvalue().rstrip("\n")


def markdown_row(cells: Iterable[str]) -> str:
    """A line of a table in Markdown, whatever its cells hold."""
    return "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in cells) + " |"


def one_line(text: str) -> str:
    """Somebody's text on one line, without what acts on a terminal."""
    return " ".join(clean(text).splitlines())


class Fitting:
    """The first of several tables that fits the terminal; the last one where none does."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self.tables = list(tables)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fits = (table for table in self.tables if least_width(table, console) <= options.max_width)
        yield next(fits, self.tables[-1])


def least_width(table: Table, console: Console) -> int:
    """How wide a table must be for nothing to be cut."""
    unbounded = console.options.update(width=UNBOUNDED)
    width = 3 * len(table.columns) - 1  # a gap of three between two columns, one at either edge
    for column in table.columns:
        widest = max(Measurement.get(console, unbounded, cell).maximum for cell in (column.header, *column.cells))
        width += widest if column.no_wrap else min(widest, column.min_width or LEAST)
    return width


def count(number: int | None) -> str:
    """A large whole number in three digits: `17.5M` parameters, `44.1k`."""
    if number is None:
        return NONE
    for factor, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= factor:
            value = number / factor
            return f"{value:.0f}{unit}" if value >= 100 else f"{value:.1f}{unit}"
    return str(number)


def mebibytes(number: float | None) -> str:
    """Bytes as MiB."""
    if number is None:
        return NONE
    value = number / 2**20
    return f"{value:.0f} MiB" if value >= 10 else f"{value:.1f} MiB"


def duration(seconds: float | None) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return NONE
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
