"""Parts of a corpus that fit in memory, whatever its size: whole articles, or runs of rows of long ones."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.indices import Ranges
from lvmcore.data.windows import SPLITS

SHARE = 20
"""Where not all fits, no article takes more than this part of what does, lest a few long ones stand for all."""


@attrs.frozen(eq=False)
class Runs:
    """Consecutive rows of some articles, in the order of the corpus: `lengths` rows from `begins` (R,) on."""

    articles: Tensor
    begins: Tensor
    lengths: Tensor

    @property
    def rows(self) -> Tensor:
        """(N,) int64: every row of them."""
        return Ranges(self.begins, self.lengths)[:]

    def of(self, corpus: Corpus) -> Corpus:
        """Them as a corpus of their own, in memory."""
        starts = torch.cat([self.lengths.new_zeros(1), self.lengths.cumsum(0)])
        info = attrs.evolve(corpus.info, titles=(), sources=(), digest="")
        return _taken(corpus, self.rows, starts, corpus.splits.index_select(0, self.articles), info)


def drawn(corpus: Corpus, bounds: Mapping[str, int], *, context: int = 0, seed: int = 0) -> Runs:
    """Articles of each split whose windows come to about a bound at most; all of them where they do not reach it.

    Args:
        bounds: windows a split; splits without one give no article.
        context: rows before a target; 0: every row is a window, and none is too short.
    """
    lengths = corpus.starts.diff()
    generator = torch.Generator().manual_seed(seed)
    parts = [
        _of_split((corpus.splits == SPLITS.index(split)) & (lengths > context), lengths, bound, context, generator)
        for split, bound in bounds.items()
    ]
    articles, offsets, kept = (torch.cat(part) for part in zip(*parts, strict=True))
    order = articles.argsort()
    return Runs(articles[order], (corpus.starts[articles] + offsets)[order], kept[order])


def _of_split(
    wanted: Tensor, lengths: Tensor, bound: int, context: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Articles, the first of their rows and how many of them (A,), in the order in which they were drawn."""
    articles = wanted.nonzero().squeeze(1)
    own = lengths[articles]
    if int((own - context).sum()) <= bound:
        return articles, torch.zeros_like(own), own
    order = torch.randperm(len(articles), generator=generator)
    articles, own = articles[order], own[order]
    kept = own.clamp(max=context + max(1, bound // SHARE))
    offsets = (torch.rand(len(own), generator=generator, dtype=torch.float64) * (own - kept + 1)).long()
    fits = (kept - context).cumsum(0) <= bound
    return articles[fits], offsets[fits], kept[fits]


def portion(corpus: Corpus, articles: Tensor) -> Corpus:
    """The corpus of these articles (A,) alone, in their order."""
    articles = articles.sort().values
    return Runs(articles, corpus.starts[articles], corpus.starts.diff()[articles]).of(corpus)


def turned(corpus: Corpus) -> Corpus:
    """The same articles, each from its last row to its first."""
    lengths = corpus.starts.diff()
    ends = (corpus.starts[:-1] + corpus.starts[1:] - 1).repeat_interleave(lengths)
    rows = ends - torch.arange(len(corpus))
    return _taken(corpus, rows, corpus.starts, corpus.splits, corpus.info)


def _taken(corpus: Corpus, rows: Tensor, starts: Tensor, splits: Tensor, info: CorpusInfo) -> Corpus:
    """A corpus of some rows of another, in memory."""
    vectors, scales = corpus.vectors.index_select(0, rows), corpus.scales.index_select(0, rows)
    return Corpus(vectors, starts, splits, info, corpus.where, scales=scales)
