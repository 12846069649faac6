"""lvm compare: the table of runs."""

from __future__ import annotations

from pathlib import Path

import click

from lvm_cli.console import console
from lvm_cli.options import open_registry, plugin_options, runs_option
from lvmcore.comparison import compare
from lvmcore.expression import parse_one
from lvmcore.runs import all_runs, find_run


@click.command("compare")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--format", "form", default="table", show_default=True, metavar="FORMAT", help="See lvm list reports.")
@plugin_options
@runs_option
def command(runs: tuple[str, ...], form: str, files: tuple[Path, ...], without: tuple[str, ...], root: Path) -> None:
    """Set runs side by side: all of them, or those that are named.

    The best value of a column is marked, among runs measured alike (one corpus, one protocol).
    """
    report = open_registry(files, without).make("report", parse_one(form)).build()
    found = [find_run(text, root) for text in runs] if runs else list(all_runs(root))
    if not found and form == "table":
        click.echo(f"no runs in {root}/ yet; lvm run makes one")
        return
    console().print(report(compare(found)), markup=False)
