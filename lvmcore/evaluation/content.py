"""Random choices keyed by what a window holds, so that they depend neither on its index nor on the batch."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.windows import SPLITS, Batch

# Odd 64-bit constants of the splitmix64 finaliser (Steele, Lea, Flood 2014), as signed integers
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_BLOCK = 1 << 14
_MIX_1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX_2 = 0x94D049BB133111EB - (1 << 64)


class ContentKeys:
    """64-bit keys of rows and windows of one split.

    Args:
        seed: another seed gives other choices for the same content.
    """

    def __init__(self, corpus: Corpus, split: str, seed: int = 0) -> None:
        self.corpus, self.split, self.seed = corpus, split, seed

    def of(self, batch: Batch) -> Tensor:
        """One key a window (B,) int64, from its context rows in their order."""
        key = torch.full((len(batch.targets),), self.seed, dtype=torch.int64)
        for back in range(batch.length, 0, -1):
            key = mix(key * 31 + self._row_keys[batch.targets - back])
        return key

    def foreign(self, batch: Batch, keys: Tensor) -> tuple[Tensor, Tensor]:
        """A row of another article of the split for each window (B,), and where there is one (B,) bool."""
        first, last = self._holders
        article_of, own = self.corpus.article_of, batch.articles
        place = mix(keys + 1).remainder(len(first))
        while True:
            chosen = torch.where(article_of[first[place]] == own, last[place], first[place])
            there = article_of[chosen] != own
            if not self._several or there.all():
                return chosen, there
            place = torch.where(there, place, (place + 1).remainder(len(first)))

    @cached_property
    def alike(self) -> Tensor:
        """(N,) int64: for each row of the split the first row of the split that holds the same; most often itself."""
        alike = torch.arange(len(self.corpus))
        rows, run = self._runs
        while len(rows):  # once, but for rows that differ and share a key
            heads = torch.cat([run.new_ones(1), run.diff()]) != 0
            first = rows[heads][heads.cumsum(0) - 1]
            same = rows == first
            same[~same] = self._equal(rows[~same], first[~same])
            alike[rows[same]] = first[same]
            rows, run = rows[~same], run[~same]
        return alike

    def _equal(self, rows: Tensor, others: Tensor) -> Tensor:
        """Where two rows are stored equal (R,)."""
        stored, pairs = self.corpus.vectors, zip(rows.split(_BLOCK), others.split(_BLOCK), strict=True)
        held = ((stored.index_select(0, one), stored.index_select(0, other)) for one, other in pairs)
        return torch.cat([(one == other).all(1) for one, other in held])

    @cached_property
    def _rows(self) -> Tensor:
        """The rows of the split, in their order."""
        return (self.corpus.splits == SPLITS.index(self.split))[self.corpus.article_of].nonzero().squeeze(1)

    @cached_property
    def _row_keys(self) -> Tensor:
        """(N,) int64: a hash of each row of the split, its values as float16 so that the storage type is no matter."""
        keys = torch.zeros(len(self.corpus), dtype=torch.int64)
        for rows in self._rows.split(_BLOCK):
            keys[rows] = content_keys(self.corpus.vectors.index_select(0, rows))
        return keys

    @cached_property
    def _runs(self) -> tuple[Tensor, Tensor]:
        """The rows of the split ordered by key, and then by place; and the number of each one's run of equal keys."""
        keys, order = self._row_keys[self._rows].sort(stable=True)
        return self._rows[order], keys.unique_consecutive(return_inverse=True)[1]

    @cached_property
    def _holders(self) -> tuple[Tensor, Tensor]:
        """For each distinct row of the split, ordered by what it holds: where it stands first, and where last."""
        rows, run = self._runs
        ends = run.bincount().cumsum(0)
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        return rows[starts], rows[ends - 1]

    @cached_property
    def _several(self) -> bool:
        """Whether rows of more than one article can be borrowed."""
        return len(self.corpus.article_of[self._rows].unique()) > 1


def content_keys(rows: Tensor, seed: int = 0) -> Tensor:
    """One 64-bit key for each context (B, C, D) → (B,) int64, from its values rounded to float16."""
    bits = rows.half().flatten(1).contiguous().view(torch.int16).long()  # (B, C·D)
    factors = mix(torch.arange(1, bits.shape[1] + 1, device=rows.device)) | 1
    return mix((bits * factors).sum(1) + seed)


def mix(key: Tensor) -> Tensor:
    """splitmix64's finaliser on int64, which wraps as the unsigned one does."""
    key = key + _GOLDEN
    key = (key ^ _shift(key, 30)) * _MIX_1
    key = (key ^ _shift(key, 27)) * _MIX_2
    return key ^ _shift(key, 31)


def _shift(key: Tensor, bits: int) -> Tensor:
    """Logical shift to the right."""
    return (key >> bits) & ((1 << (64 - bits)) - 1)
