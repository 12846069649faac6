"""Parquet, read in small batches."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, ClassVar

from lvm_readers.columns import Columns, Row
from lvmcore import Article, LvmError, Source, component, needs, option

BATCH = 64
"""Rows held at a time; each may be a book."""


@component
class Parquet:
    """Parquet: an article is a row, or the rows that share a value of a column and follow on each other."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)

    text: str = option(default="text", help="the column of the text: a text, or a list of paragraphs")
    title: str = option(default="title", help="the column of the title, where there is one")
    article: str | None = option(
        default=None, help="the column that the rows of an article share; none: a row is an article"
    )

    @staticmethod
    def example() -> bytes:
        pyarrow, parquet = needs("pyarrow", "parquet"), needs("pyarrow.parquet", "parquet")
        table = pyarrow.table({"title": ["One", "Two"], "text": ["A text.\n\nAnother.", "It is so."], "id": [1, 2]})
        sink = pyarrow.BufferOutputStream()
        parquet.write_table(table, sink)
        return sink.getvalue().to_pybytes()

    def build(self) -> Callable[[Source], Iterator[Article]]:
        parquet = needs("pyarrow.parquet", "parquet")
        columns = Columns(self.text, self.title, self.article)

        def rows(source: Source) -> Iterator[Row]:
            with source.open() as opened, _seekable(opened) as file:
                try:
                    yield from self._rows(parquet.ParquetFile(file, pre_buffer=False), columns, source)
                # what pyarrow raises of a damaged file is an OSError, a ValueError, a KeyError or a MemoryError
                except (OSError, ValueError, LookupError, MemoryError, NotImplementedError, TypeError) as problem:
                    said = str(problem).strip().split("\n")[0]
                    raise LvmError(
                        f"it cannot be read as Parquet; it may be truncated or damaged: {said}", where=source.where
                    ) from None

        return lambda source: columns.articles(source.name, rows(source))

    def _rows(self, file: Any, columns: Columns, source: Source) -> Iterator[Row]:
        known = file.schema_arrow.names
        for column in (self.text, self.article):
            if column and column not in known:
                raise columns.missing(source.name, column, known, source.where)
        wanted = list(dict.fromkeys(name for name in (self.text, self.title, self.article) if name in known))
        number = 0
        for batch in file.iter_batches(BATCH, columns=wanted):
            for row in batch.to_pylist():
                number += 1
                yield number, row


def _seekable(file: BinaryIO) -> BinaryIO:
    """The file itself, or a copy on the disk of one that is unpacked as it is read."""
    if file.seekable():
        return file
    copy = tempfile.TemporaryFile()  # noqa: SIM115 – closed by who asked
    shutil.copyfileobj(file, copy)
    copy.seek(0)
    return copy  # pyright: ignore[reportReturnType]
