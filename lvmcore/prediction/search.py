"""The rows of a corpus that are nearest to a vector: exact, by one matrix product a block."""

from __future__ import annotations

import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.turns import Turns, at_once

BLOCK = 1 << 15
"""Rows that are compared at a time."""


def nearest(corpus: Corpus, queries: Tensor, count: int, without: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The `count` rows of highest cosine to each query, the best first; the earlier of two that are alike.

    Args:
        queries: (Q, D) unit vectors.
        without: rows that are left out.

    Returns:
        Cosines and rows, each (Q, K), where K is `count`, or all rows if there are fewer.
    """
    return at_once(searched(corpus, queries, count, without))


def searched(
    corpus: Corpus, queries: Tensor, count: int, without: Tensor | None = None
) -> Turns[tuple[Tensor, Tensor]]:
    """As `nearest`, in turns of one block."""
    left_out = torch.empty(0, dtype=torch.int64) if without is None else without
    queries, best = queries.to(corpus.device), torch.empty(len(queries), 0)
    rows = torch.empty(len(queries), 0, dtype=torch.int64)
    for begin in range(0, len(corpus), BLOCK):
        index = torch.arange(begin, min(begin + BLOCK, len(corpus)))
        index = index[~torch.isin(index, left_out)]
        best = torch.cat([best, (queries @ corpus.rows(index).T).cpu()], 1)
        rows = torch.cat([rows, index.expand(len(queries), -1)], 1)
        order = best.sort(dim=1, descending=True, stable=True).indices[:, :count]
        best, rows = best.gather(1, order), rows.gather(1, order)
        yield
    return best, rows
