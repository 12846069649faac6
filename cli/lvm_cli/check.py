"""lvm check: is this installation sound?"""

from __future__ import annotations

from pathlib import Path

import attrs
import click
from rich.text import Text

from lvm_cli.console import console
from lvm_cli.options import json_option, open_lab, plugin_options, print_json, registry_option
from lvmcore.report.tables import add_columns, add_text, new_table
from lvmcore.toolkit import Lab


@click.command("check")
@click.option(
    "--evaluator",
    "controls",
    is_flag=True,
    help="Instead, put the evaluator to the test: what must pass passes, and what must fail fails. About a minute.",
)
@registry_option
@plugin_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    controls: bool,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check the installation: versions, processor, plugins, variants, bundled corpora, evaluator."""
    good = (_controls if controls else _installation)(open_lab(files, without, registries, forgiving=True), as_json)
    if not good:
        ctx.exit(1)


def _installation(lab: Lab, as_json: bool) -> bool:
    found = []
    for finding in lab.check():
        found.append(finding)
        if not as_json:
            verdict = _verdict(finding.ok)
            console().print(Text.assemble(verdict, f"{'':{8 - len(verdict)}}{finding.check:<10}{finding.text}"))
    good = all(finding.ok for finding in found)
    if as_json:
        print_json({"schema": 1, "ok": good, "checks": [attrs.asdict(finding) for finding in found]})
    return good


def _controls(lab: Lab, as_json: bool) -> bool:
    """The evaluator's controls as a table; they say of themselves what is expected."""
    with console(stderr=as_json).status("testing the evaluator"):
        found = lab.controls()
    good = all(control.ok for control in found)
    if as_json:
        print_json({"schema": 1, "ok": good, "controls": [attrs.asdict(control) for control in found]})
        return good
    table = new_table()
    add_text(table, "control", "expected", "measured")
    add_columns(table, "")
    for control in found:
        table.add_row(control.control, control.expected, control.measured, _verdict(control.ok))
    console().print(table)
    return good


def _verdict(passed: bool) -> Text:
    return Text("ok", style="green") if passed else Text("FAILED", style="red")
