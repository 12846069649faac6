"""What a corpus holds, as every command that makes one says it."""

from __future__ import annotations

from rich.console import Console

from lvmcore.data.corpus import Corpus
from lvmcore.plain import clean


def print_counts(out: Console, corpus: Corpus) -> None:
    """Its chunks and articles, those of each split, and its digest."""
    from lvmcore.data.windows import SPLITS

    counts = ", ".join(
        f"{split} {int((corpus.splits == i).sum())} articles with {len(corpus.windows(split)):,} windows"
        for i, split in enumerate(SPLITS)
    )
    out.print(f"{clean(corpus.where)}: {len(corpus):,} chunks of width {corpus.dim} in {len(corpus.splits):,} articles")
    out.print(f"{counts}\n{corpus.digest}")
