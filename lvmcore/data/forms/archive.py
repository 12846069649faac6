"""Arrays in NPY files and NPZ archives; what a header says is held against what is there, before it is unpacked."""

from __future__ import annotations

import math
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import numpy as np
from numpy.lib import format as npy

from lvmcore.data.forms.found import Reading
from lvmcore.errors import LvmError, because

ARCHIVE = "an archive as np.savez writes it"
ARRAY = "an array as np.save writes it"
PIECE = 1 << 22  # bytes
IN_MEMORY = 1 << 26
"""Bytes of an array that is held in memory; a larger one stays in a file."""


@attrs.frozen
class Header:
    """What an array says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype
    columns_first: bool
    begin: int
    """The byte at which its numbers begin."""

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: Any, name: str, where: str) -> Header:
    """Read the header of an array, and nothing behind it.

    Raises:
        LvmError: it has none.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of headers as Python 2 wrote them
            version = npy.read_magic(stream)
            read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
            shape, columns_first, dtype = read(stream)
        if min(shape, default=0) < 0:
            raise ValueError
    except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        raise
    except Exception:  # a header is Python's syntax, and its parser fails in many ways
        raise LvmError(f"'{name}' is no array", where=where, expected=ARRAY) from None
    return Header(tuple(map(int, shape)), dtype, columns_first, stream.tell())


def check(header: Header, size: int, name: str, where: str, reading: Reading) -> None:
    """Whether an array is what its header says, `size` bytes behind it, and may be read.

    Raises:
        LvmError: it says more or less than there is, or holds objects, which are pickled.
    """
    if header.dtype.hasobject:
        if not reading.trust_pickle:
            raise LvmError(
                f"'{name}' holds pickled objects, which are not read: they can run any code",
                where=where,
                expected="plain arrays",
                fix="save it again without objects (titles as a text array); or, if you trust whoever made the file, "
                "--trust-pickle",
            )
    elif not header.size and max(header.shape, default=0) > 0:
        raise LvmError(f"'{name}' is empty: {header.dtype} {header.shape}", where=where)
    elif header.size != size:
        raise LvmError(
            f"the header of '{name}' says {header.dtype} {header.shape}, {header.size:,} bytes, and there are {size:,}",
            where=where,
            expected=ARRAY,
        )


def read_array(file: Path, reading: Reading) -> np.ndarray:
    """The array of an NPY file, memory-mapped.

    Raises:
        LvmError: it is none, or not whole.
    """
    with file.open("rb") as stream:
        header = read_header(stream, file.name, str(file))
        check(header, file.stat().st_size - header.begin, file.name, str(file), reading)
        if header.dtype.hasobject:
            return _unpickled(stream, file.name, str(file))
    return _mapped(file, header, header.begin)


class Archive:
    """The arrays of an NPZ file, each read when it is asked for.

    Raises:
        LvmError: the file is none.
    """

    def __init__(self, file: Path, reading: Reading) -> None:
        self.file, self.reading = file, reading
        with file.open("rb") as handle:
            if not zipfile.is_zipfile(handle):
                raise LvmError("the file is no NPZ, or truncated", where=str(file), expected=ARCHIVE)
        self._unpacked = 0
        with zipfile.ZipFile(file) as archive:
            self.entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def header(self, name: str) -> Header:
        """What an array says of itself, if it is as large as it says."""
        with zipfile.ZipFile(self.file) as archive, archive.open(self.entries[name]) as stream:
            return self._header(name, stream)

    def read(self, name: str) -> np.ndarray:
        """The array; one that is large stays in a file.

        Raises:
            LvmError: it is none, holds objects, or more bytes than a file may unpack to.
        """
        entry = self.entries[name]
        with zipfile.ZipFile(self.file) as archive, archive.open(entry) as stream:
            header = self._header(name, stream)
            self._unpacked += entry.file_size
            self.reading.allow(self._unpacked, self.file.stat().st_size, str(self.file))
            if header.dtype.hasobject:
                return _unpickled(stream, name, str(self.file))
            if header.size <= IN_MEMORY or entry.compress_type != zipfile.ZIP_STORED:
                return _sound(spooled(header, _pieces(stream)), name, str(self.file))
            for _ in _pieces(stream):  # to its end, where its checksum is looked at
                pass
        return _sound(_mapped(self.file, header, self._begin(entry) + header.begin), name, str(self.file))

    def _header(self, name: str, stream: Any) -> Header:
        header = read_header(stream, name, str(self.file))
        check(header, self.entries[name].file_size - header.begin, name, str(self.file), self.reading)
        return header

    def _begin(self, entry: zipfile.ZipInfo) -> int:
        """The byte at which a stored entry begins: behind its own header, its name and what else stands there."""
        with self.file.open("rb") as handle:
            handle.seek(entry.header_offset + 26)
            lengths = handle.read(4)
        return entry.header_offset + 30 + sum(np.frombuffer(lengths, "<u2").tolist())


def spooled(header: Header, pieces: Iterable[bytes | np.ndarray]) -> np.ndarray:
    """An array of bytes that come in pieces; a large one lies in a file without a name, which goes when it does.

    Raises:
        ValueError: more or fewer bytes come than the header says.
    """
    store: np.ndarray
    if header.size <= IN_MEMORY:
        store = np.empty(header.size, np.uint8)
    else:
        with tempfile.TemporaryFile() as file:
            store = np.memmap(file, np.uint8, "w+", shape=(header.size,))
    done = 0
    for piece in pieces:
        part = np.frombuffer(piece, np.uint8)
        if done + len(part) > header.size:
            raise ValueError("an array is longer than its header says")
        store[done : done + len(part)] = part
        done += len(part)
    if done != header.size:
        raise ValueError("an array is shorter than its header says")
    if not header.size:
        return np.empty(header.shape, header.dtype)
    array = store.view(header.dtype)
    return array.reshape(header.shape[::-1]).T if header.columns_first else array.reshape(header.shape)


def _sound(array: np.ndarray, name: str, where: str) -> np.ndarray:
    """The array, if its text is text: numpy makes strings of any numbers, and Python stumbles over them later."""
    if array.dtype.kind == "U" and array.size:
        points = array.ravel("K").view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if points.max() > sys.maxunicode:
            raise LvmError(f"'{name}' holds characters that are none", where=where, expected="a text array")
    return array


def _unpickled(stream: Any, name: str, where: str) -> np.ndarray:
    stream.seek(0)
    try:
        return npy.read_array(stream, allow_pickle=True)
    except Exception as problem:  # whatever the objects' own code raises
        raise LvmError(f"'{name}' cannot be unpickled: {because(problem)}", where=where) from None


def _mapped(file: Path, header: Header, begin: int) -> np.ndarray:
    if not header.size:
        return np.empty(header.shape, header.dtype)
    return np.memmap(file, header.dtype, "r", begin, header.shape, "F" if header.columns_first else "C")


def _pieces(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece


def write_array(file: BinaryIO | Any, shape: tuple[int, ...], dtype: np.dtype, blocks: Iterable[np.ndarray]) -> None:
    """Write an array block by block, in the NPY form.

    Args:
        blocks: along the first axis, `shape` together.
    """
    kind = npy.dtype_to_descr(np.dtype(dtype))
    npy.write_array_header_2_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    for block in blocks:
        file.write(np.ascontiguousarray(block, dtype).data)
