"""lvm compare: the table of runs, or two runs window by window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from lvm_cli.console import console, echo
from lvm_cli.options import open_lab, plugin_options, registry_option, runs_option
from lvmcore.errors import LvmError
from lvmcore.evaluation.figures import Estimate, plain, signed
from lvmcore.expression import Term, parse_one
from lvmcore.files import to_json
from lvmcore.plugins import CORE
from lvmcore.report.tables import Fitting, add_columns, csv_table, markdown_row, new_table, note

if TYPE_CHECKING:
    from lvmcore.report.paired import Paired

COLOURS = {"better": "green", "worse": "red", "can't tell": "dim"}

DEFAULT, JSON = "table", "json"
"""Formats that are lvm's own, whoever else gives one of the name."""


@click.command("compare")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--format", "form", default=DEFAULT, show_default=True, metavar="FORMAT", help="See lvm list reports.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--reported", is_flag=True, help="Set the published figures of the variants beside ours.")
@click.option("--columns", default="", metavar="FIGURE,…", help="Figures to show, such as val_cos,A.direction.")
@click.option("--paired", is_flag=True, help="Two runs: their differences on the same windows, with intervals.")
@registry_option
@plugin_options
@runs_option
def command(
    runs: tuple[str, ...],
    form: str,
    as_json: bool,
    reported: bool,
    columns: str,
    paired: bool,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    root: Path,
) -> None:
    """Set runs side by side: all of them, or those that are named.

    The best value of a column is marked, among runs measured alike (one corpus, one protocol). The format
    markdown writes a whole document: the table, a section for each run, the timeline, the sizes, and what is deployed.

    \b
    lvm compare --reported --format markdown > comparison.md
    lvm compare 1a83 515b --paired
    """
    lab = open_lab(files, without, registries, root)
    form = JSON if as_json else form
    if paired:
        _paired(lab.compare(*runs, paired=True), form)
        return
    # checked before anything is read
    report = lab.registry.make("report", Term(form, dist=CORE) if form in (DEFAULT, JSON) else parse_one(form)).build()
    found = lab.compare(*runs, reported=reported, columns=columns)
    if not found.rows and form == DEFAULT:
        echo(f"no runs in {root}/ yet; lvm run makes one")
        return
    shown = report(found)
    if isinstance(shown, str):
        echo(shown)
    else:
        console().print(shown)


def _paired(found: Paired, form: str) -> None:
    writers = {JSON: _paired_json, "csv": _paired_csv, "markdown": _paired_markdown}
    if form in writers:
        echo(writers[form](found))
        return
    if form != DEFAULT:
        raise LvmError(f"--paired has no format '{form}'", expected=", ".join([DEFAULT, *writers]))
    out = console()
    out.print(Fitting(_differences(found, also) for also in (("first", "second"), ())))
    for warning in found.warnings:
        out.print(note(warning))


def _paired_json(found: Paired) -> str:
    return to_json(found.document())


def _paired_csv(found: Paired) -> str:
    return csv_table(found.records())


def _paired_markdown(found: Paired) -> str:
    lines = [f"{found.first} less {found.second}", "", "| split | figure | difference | 95 % | the first is |"]
    lines.append("|---|---|---|---|---|")
    for one in found.differences:
        held = one.difference
        lines.append(markdown_row((one.split.upper(), one.label, signed(held.value, 4), _interval(held), one.verdict)))
    return "\n".join(lines)


def _interval(found: Estimate) -> str:
    return "" if found.low is None else f"{signed(found.low, 4)} … {signed(found.high, 4)}"


def _differences(found: Paired, also: tuple[str, ...]) -> Table:
    """The differences; `also` names the columns that a narrow terminal can do without."""
    table = new_table(f"{found.first} less {found.second}")
    add_columns(table, "split", "figure")
    add_columns(table, *also, "difference", right=True)
    add_columns(table, "95 %", "the first is")
    previous = ""
    for one in found.differences:
        table.add_row(
            Text(one.split.upper() if one.split != previous else ""),
            Text(one.figure),
            *(Text(plain(getattr(one, name), 4)) for name in also),
            Text(signed(one.difference.value, 4)),
            Text(_interval(one.difference)),
            Text(one.verdict, style=COLOURS[one.verdict]),
        )
        previous = one.split
    return table
