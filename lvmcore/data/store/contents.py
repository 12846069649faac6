"""What a corpus holds, looked at: the shapes at once, the rows one after another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lvmcore.data.store.joined import Joined
from lvmcore.errors import LvmError
from lvmcore.plain import clean_title

BLOCK = 1 << 16
"""Rows that are looked at at a time, so that a look at a large corpus stays small."""


def check_shapes(shape: tuple[int, ...], dtype: torch.dtype, starts: Tensor, splits: Tensor, where: str) -> None:
    """Whether vectors of this shape and type, starts and splits fit together. Reads no row.

    Raises:
        LvmError: they do not; every fault is named.
    """
    faults = []
    if len(shape) != 2 or dtype not in (torch.float16, torch.float32):
        faults.append(f"vectors are {dtype} {shape}, not (N, D) float16 or float32")
    if starts.dtype != torch.int64 or splits.dtype != torch.uint8:
        faults.append(f"starts are {starts.dtype} and splits {splits.dtype}, not int64 and uint8")
    elif starts.ndim != 1 or splits.ndim != 1 or len(starts) != len(splits) + 1:
        faults.append(f"starts {tuple(starts.shape)} do not fit splits {tuple(splits.shape)} (one more is needed)")
    elif not shape:
        faults.append("there are no rows")
    elif not len(splits) or starts[0] != 0 or starts[-1] != shape[0] or (starts.diff() < 0).any():
        faults.append(f"starts do not rise from 0 to the number of rows, {shape[0]}")
    elif (splits > 2).any():
        faults.append("splits hold numbers other than 0 (train), 1 (val) and 2 (ood)")
    if faults:
        raise LvmError("the corpus is malformed: " + "; ".join(faults), where=where)


def scales_of(rows: Tensor, first: int, starts: Tensor, titles: tuple[str, ...], where: str) -> Tensor:
    """1 / norm of some rows (B, D) → (B,) float32, so that reading is one product.

    Args:
        first: the number of the first of them; with starts and titles it names a row at fault.

    Raises:
        LvmError: a row that is not finite, or of norm 0.
    """
    norms = rows.float().norm(dim=1)
    bad = ~(norms.isfinite() & (norms > 0))
    if bad.any():
        row = first + int(bad.nonzero()[0])
        article = int(torch.searchsorted(starts, row, right=True)) - 1
        what = "is zero" if norms[row - first] == 0 else "is not finite"
        title = f" ('{clean_title(titles[article])}')" if article < len(titles) else ""
        raise LvmError(
            f"row {row} {what}, chunk {row - int(starts[article])} of article {article}{title}; "
            f"{int(bad.sum())} such rows in this block",
            where=where,
            expected="finite vectors that are not zero",
            fix="drop or encode again the chunks at fault, then import again",
        )
    return 1 / norms


class Digest:
    """sha256 over name, type, shape and bytes of the vectors, the starts and the splits, as they come."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._state = hashlib.sha256()
        self._name("vectors", shape, dtype)

    def rows(self, block: np.ndarray) -> None:
        """The next rows (B, D)."""
        self._state.update(np.ascontiguousarray(block).data)

    def end(self, starts: np.ndarray, splits: np.ndarray) -> str:
        for name, array in (("starts", starts), ("splits", splits)):
            self._name(name, array.shape, array.dtype)
            self._state.update(np.ascontiguousarray(array).data)
        return f"sha256:{self._state.hexdigest()}"

    def _name(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._state.update(f"{name} {dtype} {'x'.join(map(str, shape))}\n".encode())


def digest_of(vectors: np.ndarray | Tensor | Joined, starts: np.ndarray, splits: np.ndarray) -> str:
    """The digest of a corpus with these contents."""
    digest = Digest(tuple(vectors.shape), np.asarray(vectors[0:0]).dtype)
    for begin, end in blocks(len(vectors)):
        digest.rows(np.asarray(vectors[begin:end]))
    return digest.end(starts, splits)


def blocks(count: int) -> Iterator[tuple[int, int]]:
    """Where each block of so many rows begins and ends."""
    return ((begin, min(begin + BLOCK, count)) for begin in range(0, count, BLOCK))
