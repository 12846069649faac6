"""JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import ClassVar

from lvm_readers.columns import Columns, Row
from lvmcore import Article, LvmError, Source, component, is_encoding, option

LONGEST = 1 << 26
"""Characters of a line, which is held whole."""


@component
class JsonLines:
    """JSON Lines: an article is a line, or the lines that share a value of a column and follow on each other."""

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    text: str = option(default="text", help="the column of the text: a text, or a list of paragraphs")
    title: str = option(default="title", help="the column of the title, where there is one")
    article: str | None = option(
        default=None, help="the column that the rows of an article share; none: a row is an article"
    )
    encoding: str = option(default="auto", help="auto: by byte order mark, else UTF-8", validator=is_encoding)

    @staticmethod
    def example() -> bytes:
        return b'{"title": "One", "text": "A text.\\n\\nAnother."}\n\n{"text": ["It is.", "So."], "id": 7}\n'

    def build(self) -> Callable[[Source], Iterator[Article]]:
        columns = Columns(self.text, self.title, self.article)
        return lambda source: columns.articles(source.name, self._rows(source))

    def _rows(self, source: Source) -> Iterator[Row]:
        for number, line in enumerate(source.lines(self.encoding, 2 * LONGEST), 1):
            if line.isspace():
                continue
            where = f"{source.where}, line {number:,}"
            if len(line) > LONGEST:
                raise LvmError(f"the line has more than {LONGEST:,} characters", where=where)
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as problem:
                raise LvmError(f"the line is no JSON: {problem}", where=where, expected="an object a line") from None
            if not isinstance(row, dict):
                raise LvmError(f"the line is no object but {type(row).__name__}", where=where, expected="{…}")
            yield number, row
