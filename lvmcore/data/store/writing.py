"""Writing a corpus file: rows stream to the disk, and no more than a block of them stands in memory."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import numpy as np
import torch

from lvmcore.data.corpus import SCHEMA, CorpusInfo, check_names
from lvmcore.data.store.contents import Digest, blocks, check_shapes, scales_of
from lvmcore.data.store.texts import texts_file
from lvmcore.errors import LvmError
from lvmcore.files import whole_file

HEADER_LIMIT = 100_000_000
"""Bytes of a header that safetensors still reads."""
_CODES = {"int64": "I64", "float32": "F32", "float16": "F16", "uint8": "U8"}
_UNKNOWN = f"sha256:{'0' * 64}"
"""What stands where a digest will: of equal length, so that the header needs no more room later."""


def save_corpus(
    path: str | Path,
    vectors: np.ndarray | Iterable[np.ndarray],
    starts: np.ndarray,
    splits: np.ndarray,
    info: CorpusInfo,
    texts: Iterable[str] | None = None,
) -> str:
    """Write a corpus file, whole or not at all, and give its digest.

    Args:
        vectors: (N, D) float16 or float32; or blocks of them (n, D), in order, N rows together.
        starts: (A+1,), the first row of each article, and N.
        splits: (A,), 0 train, 1 val, 2 ood.
        texts: of the rows, in order; they go to `NAME.texts.jsonl`, beside the file.

    Raises:
        LvmError: arrays that do not fit, rows that are not finite or of norm 0, more or fewer rows or texts than N.
        MachineError: the disk is full, or the folder cannot be written.
    """
    path, where = Path(path), f"the corpus to be written to {path}"
    starts, splits = whole_numbers("starts", starts, np.int64), whole_numbers("splits", splits, np.uint8)
    rows, shape, dtype = _streamed(vectors, starts, where)
    starts_, splits_ = torch.from_numpy(starts), torch.from_numpy(splits)
    check_shapes(shape, torch.from_numpy(np.empty(0, dtype)).dtype, starts_, splits_, where)
    check_names(info, len(splits), where)
    layout = _Layout(shape, dtype, len(starts), texts is not None)
    info = attrs.evolve(info, digest=_UNKNOWN, texts_digest=_UNKNOWN if texts is not None else "")
    base = len(layout.header(info, where))
    beside = nullcontext() if texts is None else whole_file(texts_file(path), 0, parents=True)
    with (
        whole_file(path, base + layout.size, parents=True) as file,
        beside as lines,
    ):  # left in turn: the texts are there first

        def put(name: str, array: np.ndarray, first: int = 0) -> None:
            file.seek(base + layout.offset(name, first))
            file.write(np.ascontiguousarray(array).data)

        put("starts", starts)
        put("splits", splits)
        if texts is not None and lines is not None:
            info = attrs.evolve(info, texts_digest=_write_texts(lines, texts, shape[0], put, where))
        digest, done = Digest(shape, dtype), 0
        for block in rows:
            if block.ndim != 2 or block.shape[1] != shape[1] or block.dtype != dtype or done + len(block) > shape[0]:
                raise LvmError(
                    f"a block of {block.dtype} {block.shape} after {done} rows does not fit",
                    where=where,
                    expected=f"{shape[0]} rows of width {shape[1]} in {dtype}",
                )
            put("vectors", block, done)
            put("scales", scales_of(torch.from_numpy(block), done, starts_, info.titles, where).numpy(), done)
            digest.rows(block)
            done += len(block)
        if done != shape[0]:
            raise LvmError(f"there are {done} rows, and starts end at {shape[0]}", where=where)
        info = attrs.evolve(info, digest=digest.end(starts, splits))
        file.seek(0)
        file.write(layout.header(info, where))
    return info.digest


class _Layout:
    """Where each array lies in the file: those of wide numbers first, so that each is aligned."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, starts: int, texts: bool) -> None:
        shapes = {"starts": (starts,), "text_offsets": (shape[0] + 1,), "scales": (shape[0],), "vectors": shape}
        shapes["splits"] = (starts - 1,)
        kinds = {"starts": "int64", "text_offsets": "int64", "scales": "float32", "vectors": dtype, "splits": "uint8"}
        self._arrays: dict[str, tuple[str, tuple[int, ...], int]] = {}  # type, shape, first byte
        self._width: dict[str, int] = {}
        self.size = 0
        for name, own in shapes.items():
            if name == "text_offsets" and not texts:
                continue
            kind = np.dtype(kinds[name])
            self._arrays[name] = _CODES[kind.name], own, self.size
            self._width[name] = kind.itemsize * math.prod(own[1:])
            self.size += own[0] * self._width[name]

    def offset(self, name: str, row: int) -> int:
        """The byte at which an array's row begins, counted from the end of the header."""
        return self._arrays[name][2] + row * self._width[name]

    def header(self, info: CorpusInfo, where: str) -> bytes:
        """The header of safetensors, and before it its length."""
        about = json.dumps({"schema": SCHEMA, "kind": "corpus", **attrs.asdict(info)}, ensure_ascii=False)
        held: dict[str, Any] = {"__metadata__": {"lvm": about}}
        for name, (code, shape, begin) in self._arrays.items():
            held[name] = {"dtype": code, "shape": shape, "data_offsets": [begin, begin + shape[0] * self._width[name]]}
        text = json.dumps(held, ensure_ascii=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        if len(text) > HEADER_LIMIT:
            raise LvmError(
                f"titles and sources of {len(info.titles):,} articles take {len(text):,} bytes of the header",
                where=where,
                expected=f"at most {HEADER_LIMIT:,}",
                fix="write the corpus as several shards",
            )
        return struct.pack("<Q", len(text)) + text


def _streamed(
    vectors: np.ndarray | Iterable[np.ndarray], starts: np.ndarray, where: str
) -> tuple[Iterator[np.ndarray], tuple[int, ...], np.dtype]:
    """The blocks of rows, the shape that they must have together, and their type."""
    if isinstance(vectors, np.ndarray):
        dtype = vectors.dtype.newbyteorder("=")
        parts = (np.ascontiguousarray(vectors[begin:end], dtype) for begin, end in blocks(len(vectors)))
        return (parts if vectors.ndim else iter(())), vectors.shape, dtype
    given = (np.ascontiguousarray(block) for block in vectors)
    first = next(given, None)
    if first is None:
        raise LvmError("there are no rows", where=where)

    def whole() -> Iterator[np.ndarray]:
        yield first
        yield from given

    return whole(), (int(starts.flat[-1]) if starts.size else 0, *first.shape[1:]), first.dtype


def _write_texts(lines: BinaryIO, texts: Iterable[str], count: int, put: Any, where: str) -> str:
    """Write a line a text, and where each begins; gives their sha256."""
    digest, offsets, done, size = hashlib.sha256(), [0], 0, 0
    for text in texts:
        try:
            line = json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n"
        except UnicodeEncodeError:
            raise LvmError(f"the text of row {done + len(offsets) - 1} is no Unicode", where=where) from None
        lines.write(line)
        digest.update(line)
        offsets.append(size := size + len(line))
        if done + len(offsets) > count + 1:
            break
        if len(offsets) > 1 << 16:  # what has been given so far need not be held
            put("text_offsets", np.array(offsets[:-1]), done)
            done, offsets = done + len(offsets) - 1, offsets[-1:]
    if done + len(offsets) != count + 1:
        more = "more than " if done + len(offsets) > count + 1 else ""
        raise LvmError(f"there are {more}{min(done + len(offsets) - 1, count)} texts for {count} rows", where=where)
    put("text_offsets", np.array(offsets), done)
    return f"sha256:{digest.hexdigest()}"


def whole_numbers(name: str, values: np.ndarray, kind: type[np.integer[Any]]) -> np.ndarray:
    """The same whole numbers in another type, whose range they must keep: 256 is not split 0."""
    values, room = np.asarray(values), np.iinfo(kind)
    if values.dtype.kind not in "biu" or (values.size and not room.min <= values.min() <= values.max() <= room.max):
        raise LvmError(
            f"{name} are {values.dtype}, or out of range", expected=f"whole numbers from {room.min} to {room.max}"
        )
    return values.astype(kind)
