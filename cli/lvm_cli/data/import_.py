"""lvm data import: a corpus from another form."""

from __future__ import annotations

from pathlib import Path

import click

from lvm_cli.console import console
from lvm_cli.options import open_lab


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The corpus file.  [default: FILE.safetensors]")
@click.option("--name", help="Name of the corpus.  [default: that of the file]")
@click.option("--encoder", default="unknown", help="The model that made the vectors.")
@click.option("--chunking", default="unknown", help="How the text was cut into chunks.")
@click.option("--licence", default="unknown", help="Licence of the text.")
@click.option("--source", default="unknown", help="Where the text comes from.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the splits, where the file has none.")
@click.option("--force", is_flag=True, help="Overwrite the corpus file.")
def command(
    file: Path,
    output: Path | None,
    name: str | None,
    encoder: str,
    chunking: str,
    licence: str,
    source: str,
    seed: int,
    force: bool,
) -> None:
    """Read vectors with their article numbers from an NPZ file; nothing in it is unpickled.

    Keys: vectors (N, D), article_indices (N,), and, where there are any, chunk_indices (N,), splits and
    titles, one entry an article. Without splits, 80 % of the articles train, 10 % validate, and 10 % are
    OOD by name: a random tenth of the same source is not out of domain.
    """
    from lvmcore.data.windows import SPLITS

    about = {"encoder": encoder, "chunking": chunking, "licence": licence, "source": source}
    lab = open_lab(stderr=False)
    corpus = lab.corpora.import_(file, output, **about, name=name or file.stem, seed=seed, force=force)
    out = console()
    counts = ", ".join(
        f"{split} {int((corpus.splits == i).sum())} articles with {len(corpus.windows(split)):,} windows"
        for i, split in enumerate(SPLITS)
    )
    out.print(
        f"{corpus.where}: {len(corpus):,} chunks of width {corpus.dim} in {len(corpus.splits):,} articles",
        markup=False,
    )
    out.print(f"{counts}\n{corpus.digest}", markup=False)
