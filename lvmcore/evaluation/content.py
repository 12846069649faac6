"""Random choices keyed by what a window holds, so that they depend neither on its index nor on the batch."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.keys import content_keys, mix
from lvmcore.data.windows import Batch

POOL = 1 << 20
"""Rows of a split that another window's row may be borrowed from: of more, so many evenly spaced ones."""
_BLOCK = 1 << 14


class ContentKeys:
    """64-bit keys of rows and windows of one split.

    Args:
        seed: another seed gives other choices for the same content.
    """

    def __init__(self, corpus: Corpus, split: str, seed: int = 0) -> None:
        self.corpus, self.split, self.seed = corpus, split, seed

    def of(self, batch: Batch) -> Tensor:
        """One key a window (B,) int64, from its context rows in their order."""
        rows, place = (batch.targets[:, None] - torch.arange(batch.length, 0, -1)).unique(return_inverse=True)
        keys = self._keys_of(rows)[place]  # (B, C)
        key = torch.full((len(batch.targets),), self.seed, dtype=torch.int64)
        for column in range(batch.length):
            key = mix(key * 31 + keys[:, column])
        return key

    def foreign(self, batch: Batch, keys: Tensor) -> tuple[Tensor, Tensor]:
        """A row of another article of the split for each window (B,), and where there is one (B,) bool."""
        first, last = self._holders
        article_of, own = self.corpus.article_of, batch.article_numbers
        place = mix(keys + 1).remainder(len(first))
        while True:
            chosen = torch.where(article_of[first[place]] == own, last[place], first[place])
            there = article_of[chosen] != own
            if not self._several or there.all():
                return chosen, there
            place = torch.where(there, place, (place + 1).remainder(len(first)))

    def alike(self, rows: Tensor) -> Tensor:
        """For each of some rows (R,), in ascending order, the first of them that holds the same; most often itself."""
        alike = torch.empty_like(rows)
        left, run = self._runs(rows)
        while len(left):  # once, but for rows that differ and share a key
            heads = torch.cat([run.new_ones(1), run.diff()]) != 0
            first = left[heads][heads.cumsum(0) - 1]
            same = left == first
            same[~same] = self._equal(left[~same], first[~same])
            alike[torch.searchsorted(rows, left[same])] = first[same]
            left, run = left[~same], run[~same]
        return alike

    def _equal(self, rows: Tensor, others: Tensor) -> Tensor:
        """Where two rows are stored equal (R,)."""
        stored, pairs = self.corpus.vectors, zip(rows.split(_BLOCK), others.split(_BLOCK), strict=True)
        held = ((stored.index_select(0, one), stored.index_select(0, other)) for one, other in pairs)
        return torch.cat([(one == other).all(1) for one, other in held])

    def _keys_of(self, rows: Tensor) -> Tensor:
        """A hash of each row (R,) int64, of its values as float16 so that the storage type is no matter."""
        return torch.cat([content_keys(self.corpus.vectors.index_select(0, part)) for part in rows.split(_BLOCK)])

    def _runs(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rows ordered by key, and then by place; and the number of each one's run of equal keys."""
        keys, order = self._keys_of(rows).sort(stable=True)
        return rows[order], keys.unique_consecutive(return_inverse=True)[1]

    @cached_property
    def _pool(self) -> Tensor:
        """The rows of the split in their order; of very many, some."""
        rows = self.corpus.rows_of(self.split)
        return rows[torch.arange(count := min(len(rows), POOL)) * len(rows) // max(count, 1)]

    @cached_property
    def _holders(self) -> tuple[Tensor, Tensor]:
        """For each distinct row of the pool, ordered by what it holds: where it stands first, and where last."""
        rows, run = self._runs(self._pool)
        ends = run.bincount().cumsum(0)
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        return rows[starts], rows[ends - 1]

    @cached_property
    def _several(self) -> bool:
        """Whether rows of more than one article can be borrowed."""
        return len(self.corpus.article_of[self._pool].unique()) > 1
