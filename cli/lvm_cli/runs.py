"""lvm runs: what was run, and how it ended; and taking runs away."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from lvm_cli.console import console, echo, is_terminal
from lvm_cli.options import json_option, open_lab, print_json, runs_option
from lvmcore.errors import LvmError
from lvmcore.evaluation.figures import NONE
from lvmcore.plain import clean
from lvmcore.report.details import status_text
from lvmcore.report.tables import Fitting, add_columns, add_text, new_table, note
from lvmcore.runs.folder import distinct, find_listed, matches, numbers
from lvmcore.runs.run import STATUSES, Run
from lvmcore.toolkit import Lab

COLOURS = {"finished": "green", "running": "cyan", "collapsed": "red", "failed": "red", "damaged": "red"}


@click.command("runs")
@click.argument("names", nargs=-1, metavar="[RUN]...")
@click.option("--status", type=click.Choice(STATUSES), help="Those that ended so.")
@click.option("--variant", metavar="NAME", help="Those of a variant.")
@click.option("--corpus", metavar="NAME", help="Those trained on a corpus, by its name.")
@click.option("--tag", metavar="TAG", help="Those with this among their tags.")
@click.option("--delete", is_flag=True, help="Remove the folders of the runs that are named, after asking.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@runs_option
@json_option
def command(
    names: tuple[str, ...],
    status: str | None,
    variant: str | None,
    corpus: str | None,
    tag: str | None,
    delete: bool,
    yes: bool,
    root: Path,
    as_json: bool,
) -> None:
    """List the runs, newest last, with their status: all of them, or those that are named, or fit.

    \b
    lvm runs --variant p1 --status finished
    lvm runs --delete 1a83 515b
    """
    lab = open_lab(root=root)
    named = distinct(find_listed(name, root, _tell) for name in names) if names else lab.runs
    found = [run for run in named if matches(run, status=status, variant=variant, corpus=corpus, tag=tag)]
    if delete:
        if not names:
            raise LvmError("--delete removes the runs that are named, and none is", fix="lvm runs --delete RUN")
        _delete(lab, found, yes)
    if as_json:
        print_json([{**run.record, "path": str(run.path)} for run in found])
        return
    if delete:
        for run in found:
            echo(f"deleted {run.path}")
        return
    if not found:
        echo(f"no such runs in {root}/" if lab.runs else f"no runs in {root}/ yet; lvm run makes one")
        return
    number_of = numbers(named)
    console().print(Fitting(_table(found, number_of, apart) for apart in (("corpus", "status"), ("corpus",), ())))


def _tell(said: str) -> None:
    console(stderr=True).print(note(said))


def _delete(lab: Lab, runs: list[Run], unasked: bool) -> None:
    """Remove runs, all or none of them, when the user agrees."""
    for run in runs:
        run.require_idle()
    if runs and not unasked:
        if not is_terminal(sys.stdin):
            raise LvmError("nobody is there to be asked whether to delete", where="standard input", fix="--yes")
        names = "".join(f"\n  {run.path}" for run in runs)
        click.confirm(
            clean(f"Delete {len(runs)} run{'s' * (len(runs) > 1)}?{names}\nNothing brings them back."),
            abort=True,
            err=True,
        )
    for run in runs:
        lab.delete(run)


def _table(runs: list[Run], number_of: dict[Path, int], apart: Collection[str]) -> Table:
    """The runs; what is not in columns apart stands below their names."""
    table = new_table()
    add_columns(table, "#", right=True)
    (add_columns if "status" in apart else add_text)(table, "run")
    add_columns(table, *(("corpus",) if "corpus" in apart else ()))
    add_columns(table, "seed", "epochs", "seconds", right=True)
    add_text(table, *(("status",) if "status" in apart else ()))
    for run in runs:
        record = run.record
        facts = {
            "corpus": Text((record.get("corpus") or {}).get("name", NONE)),
            "status": Text(status_text(run), style=COLOURS.get(record["status"], "yellow")),
        }
        below = [text for name, text in facts.items() if name not in apart]
        table.add_row(
            str(number_of[run.path]),
            Text("\n").join([Text(run.path.name), *below]),
            *(facts[name] for name in ("corpus",) if name in apart),
            Text(str(record.get("seed", NONE))),
            Text(f"{run.epochs_done}/{(record.get('variant') or {}).get('epochs', NONE)}"),
            Text(str(record.get("seconds", NONE))),
            *(facts[name] for name in ("status",) if name in apart),
        )
    return table
