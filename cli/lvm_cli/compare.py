"""lvm compare: the table of runs, or two runs window by window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click
from rich.table import Table
from rich.text import Text

from lvm_cli.console import console, note
from lvm_cli.options import (
    open_catalogue,
    open_registry,
    open_run,
    plugin_options,
    registry_option,
    runs_option,
)
from lvmcore.errors import LvmError
from lvmcore.evaluation.figures import plain, signed
from lvmcore.expression import Term, parse_one
from lvmcore.files import to_json
from lvmcore.plugins import CORE
from lvmcore.report.comparison import compare
from lvmcore.report.tables import Fitting, add_columns, new_table
from lvmcore.runs.folder import listed_runs
from lvmcore.runs.run import Run

if TYPE_CHECKING:
    from lvmcore.report.paired import Difference

COLOURS = {"better": "green", "worse": "red", "can't tell": "dim"}

DEFAULT = "table"
"""The format that is lvm's own, whoever else gives one of this name."""


@click.command("compare")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--format", "form", default=DEFAULT, show_default=True, metavar="FORMAT", help="See lvm list reports.")
@click.option("--reported", is_flag=True, help="Set the published figures of the variants beside ours.")
@click.option("--paired", is_flag=True, help="Two runs: their differences on the same windows, with intervals.")
@registry_option
@plugin_options
@runs_option
def command(
    runs: tuple[str, ...],
    form: str,
    reported: bool,
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
    found = [open_run(text, root) for text in runs] if runs else list(listed_runs(root))
    if paired:
        _paired(found, form)
        return
    found = list({run.path.resolve(): run for run in found}.values())  # one that is named twice is one row
    registry = open_registry(files, without)
    term = Term(DEFAULT, dist=CORE) if form == DEFAULT else parse_one(form)
    report = registry.make("report", term).build()
    published = open_catalogue(registry, registries).variants.values() if reported else None
    if not found and form == DEFAULT and not reported:
        click.echo(f"no runs in {root}/ yet; lvm run makes one")
        return
    shown = report(compare(found, published))
    if isinstance(shown, str):
        click.echo(shown)
    else:
        console().print(shown)


def _paired(runs: list[Run], form: str) -> None:
    from lvmcore.report.paired import compare_paired, warnings_of

    if len(runs) != 2:
        raise LvmError(f"--paired compares two runs, not {len(runs)}", fix="lvm compare RUN RUN --paired")
    if form not in ("table", "json"):
        raise LvmError(f"--paired has no format '{form}'", expected="table or json")
    first, second = runs
    differences = compare_paired(first, second)
    if form == "json":
        document = {"schema": 1, "first": first.path.name, "second": second.path.name}
        rows = [attrs.asdict(one) for one in differences]
        click.echo(to_json(document | {"differences": rows, "warnings": warnings_of(differences)}))
        return
    columns = (("first", "second"), ())
    out = console()
    out.print(Fitting(_differences(first, second, differences, also) for also in columns))
    for warning in warnings_of(differences):
        out.print(note(warning))


def _differences(first: Run, second: Run, differences: list[Difference], also: tuple[str, ...]) -> Table:
    """The differences; `also` names the columns that a narrow terminal can do without."""
    table = new_table(f"{first.path.name} less {second.path.name}")
    add_columns(table, "split", "figure")
    add_columns(table, *also, "difference", right=True)
    add_columns(table, "95 %", "the first is")
    previous = ""
    for one in differences:
        figure = one.difference
        interval = "" if figure.low is None else f"{signed(figure.low, 4)} … {signed(figure.high, 4)}"
        table.add_row(
            Text(one.split.upper() if one.split != previous else ""),
            Text(one.figure),
            *(Text(plain(getattr(one, name), 4)) for name in also),
            Text(signed(figure.value, 4)),
            Text(interval),
            Text(one.verdict, style=COLOURS[one.verdict]),
        )
        previous = one.split
    return table
