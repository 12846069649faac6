"""Arrays and texts of several files, as if they were those of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from lvmcore.data.store.texts import Texts


class Joined:
    """Tensors one after another along their first dimension, as if they were one; nothing is copied.

    Args:
        tensors: of one type, alike in their other dimensions.
    """

    def __init__(self, tensors: Sequence[Tensor | Joined]) -> None:
        self._tensors = list(tensors)
        self._ends = torch.tensor([len(tensor) for tensor in tensors]).cumsum(0)
        self.dtype = self._tensors[0].dtype
        self.shape = torch.Size([int(self._ends[-1]), *self._tensors[0].shape[1:]])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice) -> Tensor:
        begin, end, step = index.indices(len(self))
        found, first = [], 0
        for tensor in self._tensors:
            low, high = max(begin - first, 0), min(end - first, len(tensor))
            found += [tensor[low:high]] if low < high else []
            first += len(tensor)
        return (torch.cat(found) if found else self._tensors[0][0:0])[::step]

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """The rows at these places (B,)."""
        number = torch.searchsorted(self._ends, index, right=True)
        found = torch.empty((len(index), *self.shape[1:]), dtype=self.dtype)
        for held in number.unique().tolist():
            tensor, places = self._tensors[held], (number == held).nonzero()[:, 0]
            found[places] = tensor.index_select(0, index[places] - (int(self._ends[held]) - len(tensor)))
        return found


class JoinedTexts(Texts):
    """The texts of several corpora, one after another."""

    def __init__(self, parts: Sequence[Texts]) -> None:
        self._parts = list(parts)
        self._ends = torch.tensor([len(part) for part in parts]).cumsum(0)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def _lines(self, rows: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        placed = ((int(torch.searchsorted(self._ends, row, right=True)), row) for row in map(int, rows))
        for number, group in groupby(placed, key=lambda one: one[0]):
            first = int(self._ends[number]) - len(self._parts[number])
            yield from self._parts[number]._lines(row - first for _, row in group)
