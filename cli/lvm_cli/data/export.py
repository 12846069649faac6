"""lvm data export: a corpus in another form."""

from __future__ import annotations

from pathlib import Path

import click

from lvm_cli.console import console
from lvm_cli.options import open_lab, plugin_options
from lvmcore.plain import clean


@click.command("export")
@click.argument("corpus", metavar="CORPUS")
@click.option("-o", "--output", required=True, type=click.Path(), help="FILE.npz, FILE.npy or FILE.parquet.")
@click.option(
    "--form",
    metavar="FORM",
    help="articles or sequences (NPZ), lines (.npy and .jsonl), parquet.  [default: as the suffix says; articles]",
)
@click.option("--context", type=int, default=5, show_default=True, metavar="C", help="Rows of context of sequences.")
@click.option("--no-texts", is_flag=True, help="Leave the texts of the chunks out.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@plugin_options
def command(
    corpus: str,
    output: str,
    form: str | None,
    context: int,
    no_texts: bool,
    force: bool,
    files: tuple[Path, ...],
    without: tuple[str, ...],
) -> None:
    """Write a corpus for other tools; lvm data import gives it again. CORPUS is a file or an expression."""
    lab = open_lab(files, without, stderr=False)
    made = lab.corpora.export(corpus, output, form, texts=not no_texts, context=context, force=force)
    console().print(clean(f"{made}: {made.stat().st_size:,} bytes"))
