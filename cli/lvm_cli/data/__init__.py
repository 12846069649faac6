"""lvm data: corpora made, looked at and changed; a command a file."""

from __future__ import annotations

import click

from lvm_cli.lazy import LazyGroup

COMMANDS = {
    "build": ("build", "Make a corpus of files of text."),
    "import": ("import_", "Read vectors that another program made."),
    "export": ("export", "Write a corpus for other tools."),
    "show": ("show", "Show what a corpus holds."),
    "inspect": ("inspect", "What it holds, and whether there is a forward signal in it."),
    "split": ("split", "Draw the splits of a corpus again."),
    "join": ("join", "Make one corpus of several."),
    "shards": ("shards", "Name the files that are one corpus."),
}


@click.group("data", cls=LazyGroup, package=__name__, commands_by_name=COMMANDS)
def command() -> None:
    """Make corpora, and look into them."""
