"""lvm new: begin a plugin of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lvm_cli.console import console
from lvm_cli.options import GivenPath, open_lab
from lvmcore.hookspecs import KINDS
from lvmcore.scaffolds.package import article, has_scaffold


def kind_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--loss NAME and its like, one a kind."""
    for kind in reversed([kind for kind in KINDS.values() if has_scaffold(kind)]):
        help_ = f"Begin with {article(kind.name)} {kind.name} of this name."
        command = click.option(f"--{kind.name}", kind.name, metavar="NAME", help=help_)(command)
    return command


@click.group("new")
def command() -> None:
    """Begin something of one's own."""


@command.command("plugin")
@click.argument("folder", type=GivenPath(), metavar="DIR")
@kind_options
def plugin(folder: Path, **names: str | None) -> None:
    """Write a plugin package: components, hooks, tests, README, licence, CI; without a kind, with a loss.

    \b
    lvm new plugin lvm-mine --loss mine
    """
    given = {kind: name for kind in KINDS if (name := names.get(kind))}
    out = console()
    for path in open_lab().new_plugin(folder, **given):
        out.print(str(path), markup=False)
    out.print(f"\npip install -e '{folder}[test]' && cd {folder} && pytest", markup=False)
