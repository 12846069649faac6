"""What a file of vectors holds, whatever its form: rows in articles, and what is known about them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import attrs
import numpy as np

from lvmcore.data.store.contents import blocks
from lvmcore.errors import LvmError

LEAST_LIMIT = 1 << 30
"""Bytes that any file may unpack to."""
MOST_RATIO = 20
"""How many times its own size a larger file may unpack to: vectors hardly shrink, padded texts do by about ten."""


@attrs.frozen(kw_only=True)
class Reading:
    """How files are to be read.

    Args:
        columns: role → name, where a file calls vectors, article, chunk, title, split or text otherwise.
        trust_pickle: unpickle what is pickled, which can run any code.
        limit: bytes that a file may unpack to; by default 1 GiB, or twenty times its size where that is more.
        one_article: where nothing says which article a row is of, all rows of the file are one.
    """

    columns: Mapping[str, str] = attrs.field(factory=dict)
    trust_pickle: bool = False
    limit: int | None = None
    one_article: bool = False

    def allow(self, size: int, held: int, where: str) -> None:
        """Whether `size` bytes may be unpacked from a file of `held` bytes.

        Raises:
            LvmError: they are more than the limit.
        """
        limit = self.limit or max(LEAST_LIMIT, MOST_RATIO * held)
        if size > limit:
            raise LvmError(
                f"a file of {held:,} bytes unpacks to {size:,} or more",
                where=where,
                expected=f"at most {limit:,}",
                fix=f"--max-unpacked {-(-size // 2**30)}G, if it is what it should be",
            )


class Rows(Protocol):
    """The vectors of all rows (N, D), of which some are read at a time."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | np.ndarray, /) -> np.ndarray: ...


class RowTexts(Protocol):
    """The text of each row, which may be read only when it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> str: ...

    def __iter__(self) -> Iterator[str]: ...


@attrs.frozen(kw_only=True, eq=False)
class Found:
    """The rows of a file, and their articles.

    Args:
        where: the file.
        vectors: (N, D) floats as the file has them; may be memory-mapped.
        order: (N,) int64, the rows in the order of the articles; None where they stand in it.
        starts: (A+1,) int64, the first row of each article in that order, and N.
        titles: one an article, or none.
        splits: (A,) uint8, where the file has them.
        texts: one a row, in the order of the file.
        sources: where each article comes from, or none.
        facts: what the file says of `CorpusInfo`: encoder, licence …
        notes: what was decided on the way.
    """

    where: str
    vectors: Rows
    order: np.ndarray | None = None
    starts: np.ndarray
    titles: tuple[str, ...] = ()
    splits: np.ndarray | None = None
    texts: RowTexts | None = None
    sources: tuple[str, ...] = ()
    facts: Mapping[str, str] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def articles(self) -> int:
        return len(self.starts) - 1

    def rows(self, dtype: np.dtype) -> Iterator[np.ndarray]:
        """Blocks (n, D) of the vectors, article by article."""
        for begin, end in blocks(len(self)):
            block = self.vectors[begin:end] if self.order is None else self.vectors[self.order[begin:end]]
            with np.errstate(over="ignore"):  # what leaves the range is named as a row that is not finite
                yield np.array(block, dtype, order="C")  # a copy: a mapped file can't be written to

    def in_order(self) -> Iterator[str]:
        """The texts, article by article."""
        if self.texts is not None:
            yield from self.texts if self.order is None else (self.texts[int(row)] for row in self.order)


@contextmanager
def reading_of(file: Path, expected: str) -> Iterator[None]:
    """Whatever goes wrong while a file is read is an error that names it.

    Args:
        expected: what its form is.

    Raises:
        LvmError: it is missing, a folder, damaged, or not what its name says.
    """
    try:
        yield
    except LvmError:
        raise
    except FileNotFoundError:
        raise LvmError("there is no such file", where=str(file), expected=expected) from None
    except IsADirectoryError:
        raise LvmError("that is a folder, and no file", where=str(file), expected=expected) from None
    except PermissionError as problem:
        raise LvmError(f"the file cannot be read: {problem.strerror}", where=str(file)) from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, struct.error) as problem:
        raise LvmError(f"the file is damaged: {problem}", where=str(file), expected=expected) from None
    except (ValueError, TypeError, KeyError, SyntaxError, OverflowError, RuntimeError, MemoryError) as problem:
        said = str(problem).strip() or type(problem).__name__
        raise LvmError(f"the file cannot be read: {said}", where=str(file), expected=expected) from None
