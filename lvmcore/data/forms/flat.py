"""Flat FAISS indexes: the vectors themselves behind a short header, which is read here without faiss.

The header, little-endian and packed: four letters of the kind, d int32, n int64, two int64 of no use, is_trained
uint8, metric int32, for metrics of more than 1 an argument float32; then the count of numbers, int64, and the numbers,
float32 (`write_index_header` and `write_index` in faiss/impl/index_write.cpp).
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from lvmcore.errors import LvmError

FLAT = {b"IxF2", b"IxFI", b"IxFl"}
INDEX = "a flat index as faiss.write_index writes it: IndexFlat, IndexFlatL2 or IndexFlatIP"
HEADER = struct.Struct("<4siqqqBi")
COUNT = struct.Struct("<q")


def read_flat(file: Path) -> np.ndarray:
    """The vectors of a flat index (N, D) float32, memory-mapped, in the order in which they were added.

    Raises:
        LvmError: another kind of index, which holds no vectors or not the same; or one that is not whole.
    """
    with file.open("rb") as handle:
        head = handle.read(HEADER.size + 4 + COUNT.size)
    if head[:4] not in FLAT:
        other = head[:1] == b"I" and head[:4].isalnum()
        raise LvmError(
            f"the file is an index of kind {head[:4].decode('ascii')}" if other else "the file is no index of FAISS",
            where=str(file),
            expected=INDEX,
            fix="np.save('v.npy', index.reconstruct_n(0, index.ntotal)), then import that" if other else None,
        )
    _, width, rows, _, _, _, metric = HEADER.unpack_from(head)
    begin = HEADER.size + (4 if metric > 1 else 0)
    count = COUNT.unpack_from(head, begin)[0]
    begin += COUNT.size
    there = file.stat().st_size - begin
    if width <= 0 or rows < 0 or count != width * rows or there != 4 * count:
        raise LvmError(
            f"the header says {rows:,} rows of width {width}, {4 * width * rows:,} bytes, and there are {there:,}",
            where=str(file),
            expected=INDEX,
        )
    return np.memmap(file, "<f4", "r", begin, (rows, width)) if rows else np.empty((0, width), np.float32)
