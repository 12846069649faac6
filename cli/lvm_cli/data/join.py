"""lvm data join: one corpus of several."""

from __future__ import annotations

from pathlib import Path

import click

from lvm_cli.console import console
from lvm_cli.data.counts import print_counts
from lvm_cli.options import open_lab, plugin_options


@click.command("join")
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS…")
@click.option("-o", "--output", required=True, type=click.Path(), help="The new corpus file.")
@click.option("--name", help="Name of the corpus.  [default: that of the file]")
@click.option("--force", is_flag=True, help="Overwrite the file, and mix vectors of several encoders.")
@plugin_options
def command(
    corpora: tuple[str, ...],
    output: str,
    name: str | None,
    force: bool,
    files: tuple[Path, ...],
    without: tuple[str, ...],
) -> None:
    """Write several corpora as one, with the splits that they have; each article says which it is from."""
    lab = open_lab(files, without, stderr=False)
    made = lab.corpora.join(corpora, output, name=name, force=force)
    print_counts(console(), made)
