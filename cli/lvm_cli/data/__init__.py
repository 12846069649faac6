"""lvm data: corpora made, looked at and changed; a command a file."""

from __future__ import annotations

import click

from lvm_cli.lazy import LazyGroup

COMMANDS = {
    "import": ("import_", "Read vectors that another program made."),
}


@click.group("data", cls=LazyGroup, package=__name__, commands_by_name=COMMANDS)
def command() -> None:
    """Make corpora, and look into them."""
