"""Whole numbers in an order, of which only those asked for are computed: rows of windows, and orders of training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Generator, Tensor

from lvmcore.data.keys import mix

EXACT = 1 << 22
"""So many numbers, 32 MB, are still shuffled in memory, as torch.randperm does it."""
_ROUNDS = 8
_BLOCK = 1 << 16


class Indices(Protocol):
    """A length, and `[a:b]` → int64 (b − a,). A flat int64 tensor is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> Tensor: ...


def parts(indices: Indices, size: int) -> Iterator[Tensor]:
    """All of them in turn, so many at a time."""
    return (indices[begin : begin + size] for begin in range(0, len(indices), size))


class Ranges:
    """The numbers begins[i] … begins[i] + counts[i] − 1, range after range, from the ends of the ranges alone.

    Args:
        begins: (A,) int64.
        counts: (A,) int64; a range may be empty.
    """

    def __init__(self, begins: Tensor, counts: Tensor) -> None:
        held = counts > 0
        self._ends = counts[held].cumsum(0)
        self._shifts = begins[held] - (self._ends - counts[held])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: slice | Tensor) -> Tensor:
        """The numbers at these positions, of any shape."""
        if isinstance(index, slice):
            begin, end, step = index.indices(len(self))
            index = torch.arange(begin, max(begin, end), step)
        index = torch.where(index < 0, index + len(self), index)
        return index + self._shifts[torch.searchsorted(self._ends, index, right=True)]


class Chosen:
    """Some numbers in the order that another gives them."""

    def __init__(self, numbers: Tensor, order: Indices) -> None:
        self.numbers, self.order = numbers, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: slice) -> Tensor:
        return self.numbers[self.order[index]]


def shuffled(count: int, generator: Generator) -> Indices:
    """0 … count − 1 in random order: torch.randperm's, or beyond `EXACT` that of a keyed bijection, without memory."""
    if count <= EXACT:
        return torch.randperm(count, generator=generator)
    return Bijection(count, torch.randint(-(1 << 63), (1 << 63) - 1, (_ROUNDS,), generator=generator))


class Bijection:
    """0 … count − 1 in an order that is computed, place by place, from a few keys.

    A generalised Feistel network (Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains") on pairs of numbers
    below √count: each round adds to one of a pair a hash of the other and a key. The few pairs too many, fewer than
    √count, are mapped again until they stand for a number below count.

    Args:
        keys: (R,) int64, one a round.
    """

    def __init__(self, count: int, keys: Tensor) -> None:
        self._count, self._keys = count, keys
        self._width = max(math.isqrt(max(count - 1, 0)) + 1, 1)
        self._height = -(-count // self._width)
        self._held: tuple[int, Tensor] = -1, torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: slice) -> Tensor:
        begin, end, step = index.indices(self._count)
        if step == 1 and begin < end and (block := begin // _BLOCK) == (end - 1) // _BLOCK:
            # batches are small, and a few large operations are quicker than many small ones
            if block != self._held[0]:
                first = block * _BLOCK
                self._held = block, self.at(torch.arange(first, min(first + _BLOCK, self._count)))
            return self._held[1][begin - block * _BLOCK : end - block * _BLOCK]
        return self.at(torch.arange(begin, max(begin, end), step))

    def at(self, places: Tensor) -> Tensor:
        """The numbers at these places (B,)."""
        found = self._once(places)
        while len(beyond := (found >= self._count).nonzero()[:, 0]):
            found[beyond] = self._once(found[beyond])
        return found

    def _once(self, numbers: Tensor) -> Tensor:
        high, low = numbers // self._width, numbers % self._width
        for number, key in enumerate(self._keys):
            if number % 2:
                high = (high + mix(low ^ key).remainder(self._height)).remainder(self._height)
            else:
                low = (low + mix(high ^ key).remainder(self._width)).remainder(self._width)
        return high * self._width + low
