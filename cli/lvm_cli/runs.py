"""lvm runs: what was run, and how it ended."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from lvm_cli.console import console
from lvm_cli.options import json_option, print_json, runs_option
from lvmcore.evaluation.figures import NONE
from lvmcore.report.comparison import status_text
from lvmcore.report.tables import Fitting, add_columns, add_text, new_table
from lvmcore.runs.folder import listed_runs
from lvmcore.runs.run import Run

COLOURS = {"finished": "green", "running": "cyan", "collapsed": "red", "failed": "red", "damaged": "red"}


@click.command("runs")
@runs_option
@json_option
def command(root: Path, as_json: bool) -> None:
    """List the runs, newest last, with their status."""
    found = list(listed_runs(root))
    if as_json:
        print_json([{**run.record, "path": str(run.path)} for run in found])
        return
    if not found:
        click.echo(f"no runs in {root}/ yet; lvm run makes one")
        return
    console().print(Fitting([_table(found, apart=True), _table(found, apart=False)]))


def _table(runs: list[Run], apart: bool) -> Table:
    """The runs with their status in a column apart, or below their names."""
    table = new_table()
    (add_columns if apart else add_text)(table, "run")
    add_columns(table, "corpus")
    add_columns(table, "seed", "epochs", "seconds", right=True)
    if apart:
        add_text(table, "status")
    for run in runs:
        record = run.record
        status = Text(status_text(run), style=COLOURS.get(record["status"], "yellow"))
        name = Text(run.path.name)
        table.add_row(
            name if apart else Text.assemble(name, "\n", status),
            Text((record.get("corpus") or {}).get("name", NONE)),
            Text(str(record.get("seed", NONE))),
            Text(f"{run.epochs_done}/{(record.get('variant') or {}).get('epochs', NONE)}"),
            Text(str(record.get("seconds", NONE))),
            *([status] if apart else []),
        )
    return table
