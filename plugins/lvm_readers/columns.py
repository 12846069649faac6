"""Rows of columns → articles, for formats that hold tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, groupby
from typing import Any

import attrs

from lvm_readers.paragraphs import split
from lvmcore import Article, LvmError

Row = tuple[int, Mapping[str, Any]]
"""The number of a row, from 1, and its columns."""


@attrs.frozen
class Columns:
    """The columns that make articles, as the options of a reader name them."""

    text: str
    title: str
    article: str | None

    def articles(self, name: str, rows: Iterable[Row]) -> Iterator[Article]:
        """An article a row, or one for each run of rows that share a value of the column `article`.

        Raises:
            LvmError: a column that is not there, or holds no text.
        """
        if self.article is None:
            for row in rows:
                yield Article(self._title(name, row, str(row[0])), self._paragraphs(name, row))
            return
        for value, group in groupby(rows, key=partial(self._value, name, self.article)):
            first = next(group)
            title = self._title(name, first, str(value))
            yield Article(title, (text for row in chain([first], group) for text in self._paragraphs(name, row)))

    def _title(self, name: str, row: Row, otherwise: str) -> str:
        held = row[1].get(self.title)
        return str(held) if isinstance(held, str | int) and str(held).strip() else f"{name}:{otherwise}"

    def _paragraphs(self, name: str, row: Row) -> Iterator[str]:
        held = self._value(name, self.text, row)
        texts = held if isinstance(held, list) else [held]
        for text in texts:
            if isinstance(text, str):
                yield from split(text)
            elif text is not None:
                raise LvmError(
                    f"the column '{self.text}' holds no text but {type(text).__name__}",
                    where=f"{name}, row {row[0]:,}",
                    expected="a text, or a list of texts",
                )

    def _value(self, name: str, column: str, row: Row) -> Any:
        if column not in row[1]:
            raise self.missing(name, column, row[1], f"{name}, row {row[0]:,}")
        return row[1][column]

    def missing(self, name: str, column: str, known: Iterable[str], where: str) -> LvmError:
        """The error for a column that is not there."""
        option = "text" if column == self.text else "article"
        return LvmError(
            f"there is no column '{column}'",
            where=where,
            expected=f"one of: {', '.join(sorted(map(str, known))[:20]) or 'none, the row is empty'}",
            fix=f"name it, as in --reader READER,{option}=COLUMN",
        )
