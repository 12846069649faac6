"""lvm runs: what was run, and how it ended."""

from __future__ import annotations

from pathlib import Path

import click
from rich import box
from rich.table import Table

from lvm_cli.console import console
from lvm_cli.options import json_option, print_json, runs_option
from lvmcore.comparison import status_text
from lvmcore.runs import all_runs

COLOURS = {"finished": "green", "running": "cyan", "collapsed": "red", "failed": "red"}


@click.command("runs")
@runs_option
@json_option
def command(root: Path, as_json: bool) -> None:
    """List the runs, newest last, with their status."""
    found = list(all_runs(root))
    if as_json:
        print_json([{**run.record, "path": str(run.path)} for run in found])
        return
    if not found:
        click.echo(f"no runs in {root}/ yet; lvm run makes one")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("run", "corpus", "seed", "epochs", "seconds", "status"):
        table.add_column(
            name,
            no_wrap=name != "status",
            justify="right" if name in ("seed", "epochs", "seconds") else "left",
        )
    for run in found:
        record = run.record
        table.add_row(
            run.path.name,
            record.get("corpus", {}).get("name", "–"),
            str(record.get("seed", "–")),
            f"{len(run.epochs())}/{(record.get('variant') or {}).get('epochs', '–')}",
            str(record.get("seconds", "–")),
            f"[{COLOURS.get(record['status'], 'yellow')}]{status_text(record)}[/]",
        )
    console().print(table)
