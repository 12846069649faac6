"""Compressed files opened as what is in them, with a bound on what comes out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import attrs

from lvmcore.errors import LvmError

UNPACKERS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    ".gz": lambda file: cast(BinaryIO, gzip.GzipFile(fileobj=file)),
    ".bz2": lambda file: cast(BinaryIO, bz2.BZ2File(file)),
    ".xz": lambda file: cast(BinaryIO, lzma.LZMAFile(file)),  # noqa: SIM115 – closed by who opens it
}
FREE = 1 << 26
"""Bytes that any file may unpack to, however small it is."""

_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, ValueError)


@attrs.frozen
class Bounds:
    """How much may be unpacked of one file before it is taken for a bomb.

    Args:
        ratio: times its packed size; text seldom shrinks to less than a twentieth.
        most: bytes in all.
    """

    ratio: float = 200
    most: int = 1 << 40


def open_plain(path: Path, where: str) -> BinaryIO:
    """A file as it is.

    Raises:
        LvmError: it is not there, or must not be read.
    """
    try:
        return path.open("rb")
    except OSError as problem:
        raise LvmError(
            f"the file cannot be read: {problem.strerror or problem}", where=where, expected="a file that may be read"
        ) from None


def open_packed(path: Path, where: str, bounds: Bounds) -> BinaryIO:
    """What a .gz, .bz2 or .xz file holds."""
    file = open_plain(path, where)
    try:
        size = path.stat().st_size if path.is_file() else None  # of a pipe nobody knows it
        return bounded(UNPACKERS[path.suffix.lower()](file), size, where, bounds, also=file)
    except BaseException:
        file.close()
        raise


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str, bounds: Bounds) -> BinaryIO:
    """A member of a ZIP archive, itself compressed or not."""
    try:
        file = cast(BinaryIO, archive.open(member))
    except _DAMAGE as problem:
        raise _damaged(where, problem) from None
    unpacked = bounded(file, member.compress_size, where, bounds)
    if (suffix := Path(member.filename).suffix.lower()) in UNPACKERS:
        return bounded(UNPACKERS[suffix](unpacked), None, where, bounds, also=unpacked)
    return unpacked


def open_archive(path: Path, where: str) -> zipfile.ZipFile:
    """A ZIP archive.

    Raises:
        LvmError: it is none, or is damaged.
    """
    try:
        return zipfile.ZipFile(path)
    except OSError as problem:
        raise LvmError(f"the file cannot be read: {problem.strerror or problem}", where=where) from None
    except (*_DAMAGE, NotImplementedError) as problem:
        raise _damaged(where, problem) from None


def bounded(file: BinaryIO, packed: int | None, where: str, bounds: Bounds, also: BinaryIO | None = None) -> BinaryIO:
    """A stream that ends in an error where more comes out than may, and whose damage is told as an error of ours.

    Args:
        packed: the packed size, where it is known.
        also: what is closed with it.
    """
    most = bounds.most if packed is None else min(bounds.most, max(FREE, int(bounds.ratio * packed)))
    return io.BufferedReader(_Bounded(file, most, where, also), 1 << 16)


class _Bounded(io.RawIOBase):
    def __init__(self, file: BinaryIO, most: int, where: str, also: BinaryIO | None) -> None:
        self._file, self._most, self._where, self._also = file, most, where, also
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            data = self._file.read(len(buffer))
        except _DAMAGE as problem:
            raise _damaged(self._where, problem) from None
        self._given += len(data)
        if self._given > self._most:
            raise LvmError(
                f"it unpacks to more than {self._most:,} bytes, which is far more than text of this size does",
                where=self._where,
                expected="a compressed text, not a bomb",
                fix="if it is sound, unpack it yourself and name the unpacked file",
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            for file in (self._file, self._also):
                if file is not None:
                    file.close()
        super().close()


def _damaged(where: str, problem: BaseException) -> LvmError:
    if isinstance(problem, RuntimeError) and "password" in str(problem):
        return LvmError("it is encrypted", where=where, fix="unpack it yourself and name the unpacked file")
    return LvmError(
        f"it cannot be unpacked; it may be truncated or damaged: {problem or type(problem).__name__}",
        where=where,
        expected="a sound .gz, .bz2, .xz or .zip file",
    )
