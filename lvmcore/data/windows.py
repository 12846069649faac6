"""Windows over the rows of a corpus: never expanded, a batch is gathered when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from lvmcore.data.indices import Ranges, parts
from lvmcore.errors import LvmError

if TYPE_CHECKING:
    from lvmcore.data.corpus import Corpus

SPLITS = ("train", "val", "ood")


@attrs.frozen(eq=False)
class Windows:
    """The windows of one split: no more than which they are; a batch is gathered when it is asked for."""

    corpus: Corpus
    split: str
    targets: Tensor | Ranges
    """(W,) int64: the row of each window's target; `[index]` and `[a:b]` give tensors."""
    context: int

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def articles(self) -> Tensor:
        """(W,) int64: the article of each window. Computed when asked for, as all of `targets` is for it."""
        return self.corpus.article_of[self.targets[:]]

    def require(self, purpose: str) -> Windows:
        """Itself, if there is any window.

        Raises:
            LvmError: where the split has no article, or none that is long enough.
        """
        if len(self):
            return self
        number = SPLITS.index(self.split)
        lengths = self.corpus.starts.diff()[self.corpus.splits == number]
        if not len(lengths):
            raise LvmError(
                f"there is no window for {purpose}: no article is in split '{self.split}'",
                where=self.corpus.where,
                expected=f"articles of at least {self.context + 1} chunks whose entry in splits is {number}",
                fix="set the splits of the file that it was made from, then lvm data import it again",
            )
        raise LvmError(
            f"there is no window for {purpose}: split '{self.split}' holds {len(lengths)} articles, "
            f"the longest of {int(lengths.max())} chunks",
            where=self.corpus.where,
            expected=f"articles of at least {self.context + 1} chunks",
        )

    def take(self, index: Tensor) -> Batch:
        """The windows at these positions."""
        return Batch(self.corpus, self.targets[index], self.context)

    def batches(self, size: int) -> Iterator[Batch]:
        """All windows in order."""
        return (Batch(self.corpus, targets, self.context) for targets in parts(self.targets, size))


@attrs.define(eq=False, slots=False)
class Batch:
    """Some windows, gathered."""

    corpus: Corpus
    targets: Tensor
    """(B,) int64: the row of each target; on the processor."""
    length: int
    """C, the number of context rows."""

    @cached_property
    def context(self) -> Tensor:
        """(B, C, D) unit rows x_{t-C} … x_{t-1}, contiguous."""
        return self.corpus.rows(self.targets[:, None] + torch.arange(-self.length, 0))

    @cached_property
    def target(self) -> Tensor:
        """(B, D) unit row x_t."""
        return self.corpus.rows(self.targets)

    @cached_property
    def articles(self) -> Tensor:
        """(B,) int64: the article of each window, beside the rows on their device."""
        return self._there(self.article_numbers)

    @cached_property
    def article_numbers(self) -> Tensor:
        """(B,) int64: the same on the processor, where rows are numbered."""
        return self.corpus.article_of[self.targets]

    @cached_property
    def rows_of_articles(self) -> Tensor:
        """(N,) int64: all rows of the articles that the windows lie in, each once, in order; on the processor."""
        numbers = self.article_numbers.unique()
        begins = self.corpus.starts[numbers]
        return Ranges(begins, self.corpus.starts[numbers + 1] - begins)[:]

    def _there(self, held: Tensor) -> Tensor:
        """What goes with the rows, where they are."""
        return held.to(self.corpus.device, non_blocking=True)

    def at(self, offset: int) -> tuple[Tensor, Tensor]:
        """Row x_{t+offset} (B, D) and where it lies in the same article (B,) bool; other rows are x_t's."""
        if -self.length <= offset <= 0:  # the window's own rows are there already
            row = self.context[:, offset] if offset else self.target
            return row, torch.ones(len(row), dtype=torch.bool, device=row.device)
        articles = self.article_numbers
        rows = self.targets + offset
        inside = (rows >= self.corpus.starts[articles]) & (rows < self.corpus.starts[articles + 1])
        return self.corpus.rows(torch.where(inside, rows, self.targets)), self._there(inside)

    def future(self, horizon: int) -> tuple[Tensor, Tensor]:
        """The `horizon` rows after the target (B, H, D) and where they exist (B, H) bool."""
        found = [self.at(step) for step in range(1, horizon + 1)]
        return torch.stack([rows for rows, _ in found], 1), torch.stack([mask for _, mask in found], 1)

    def article_rows(self, count: int) -> tuple[Tensor, Tensor]:
        """Random rows of each window's article, outside of the window, with repetition (B, K, D).

        And where they exist (B, K) bool: an article of C + 1 rows has no other; its rows are x_t's. Drawn with
        torch's global generator, which the run seeds.
        """
        starts = self.corpus.starts[self.article_numbers]
        others = self.corpus.starts[self.article_numbers + 1] - starts - (self.length + 1)  # (B,)
        drawn = (torch.rand(len(others), count, dtype=torch.float64) * others[:, None]).long()
        before = self.targets - self.length - starts  # rows of the article before the window
        rows = starts[:, None] + drawn + (self.length + 1) * (drawn >= before[:, None])
        there = (others > 0)[:, None].expand(-1, count)
        return self.corpus.rows(torch.where(there, rows, self.targets[:, None])), self._there(there)

    def candidates(self) -> tuple[Tensor, Tensor]:
        """All rows of the articles that the windows lie in (N, D), each once, in the order of the corpus.

        And which of them are others to each window: in its own article, outside of the window (B, N) bool.
        """
        rows = self.rows_of_articles
        there, last = self._there(rows), self._there(self.targets)[:, None]
        own = self._there(self.corpus.article_of[rows]) == self.articles[:, None]  # (B, N)
        return self.corpus.rows(rows), own & ((there < last - self.length) | (there > last))
