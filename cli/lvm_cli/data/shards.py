"""lvm data shards: several files as one corpus, without another copy of their rows."""

from __future__ import annotations

from pathlib import Path

import click

from lvm_cli.console import console
from lvm_cli.data.counts import print_counts
from lvm_cli.options import GivenPath, open_lab, plugin_options


@click.command("shards")
@click.argument("shards", nargs=-1, required=True, metavar="FILE…", type=GivenPath())
@click.option("-o", "--output", required=True, type=click.Path(), help="The manifest, a .json file.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@plugin_options
def command(
    shards: tuple[Path, ...], output: str, force: bool, files: tuple[Path, ...], without: tuple[str, ...]
) -> None:
    """Write a manifest with the digests of corpus files in its folder, or below. It is a corpus: --data FILE."""
    made = open_lab(files, without, stderr=False).corpora.shards(shards, output, force=force)
    print_counts(console(), made)
