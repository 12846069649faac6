"""lvm data split: the same corpus with other splits."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from lvm_cli.console import console
from lvm_cli.data.counts import print_counts
from lvm_cli.options import open_lab, plugin_options


@click.command("split")
@click.argument("corpus", metavar="CORPUS")
@click.option("-o", "--output", required=True, type=click.Path(), help="The new corpus file.")
@click.option("--split", "shares", default="80/10/10", show_default=True, help="Shares of train, val and ood.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of what is drawn.")
@click.option("--val", multiple=True, metavar="PATTERN", help="What validates, by title or source; repeatable.")
@click.option("--ood", multiple=True, metavar="PATTERN", help="What is out of domain, such as 'books/*'; repeatable.")
@click.option(
    "--by",
    type=click.Choice(["article", "source"]),
    default="article",
    show_default=True,
    help="What is drawn as a whole.",
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@plugin_options
def command(
    corpus: str,
    output: str,
    shares: str,
    seed: int,
    val: tuple[str, ...],
    ood: tuple[str, ...],
    by: Literal["article", "source"],
    force: bool,
    files: tuple[Path, ...],
    without: tuple[str, ...],
) -> None:
    """Draw the splits of a corpus again, by a hash of each article's title, by patterns, or by source.

    Where a pattern says what is in val or ood, none is drawn for it. An article that is added later moves no other.
    """
    lab = open_lab(files, without, stderr=False)
    made = lab.corpora.split(corpus, output, shares, seed=seed, val=val, ood=ood, by=by, force=force)
    print_counts(console(), made)
