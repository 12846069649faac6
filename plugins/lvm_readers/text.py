"""Plain text: paragraphs between blank lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

from lvm_readers.headings import Heading, articles
from lvm_readers.paragraphs import paragraphs
from lvmcore import Article, Source, component, is_encoding, option


def _is_pattern(made: object, attribute: Any, pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as problem:
        raise ValueError(f"'{attribute.name}' is no regular expression: {problem}") from None


@component
class Text:
    """Plain text, whose paragraphs are parted by blank lines: a file is an article, or each line, or each chapter."""

    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".text")

    article: Literal["file", "line", "heading"] = option(default="file", help="what an article is")
    heading: str = option(
        default=r"(chapter|book|part|letter|act|scene)\b.*",
        help="with article=heading, the pattern of a line that is one and stands alone; capitals or not",
        validator=_is_pattern,
    )
    encoding: str = option(default="auto", help="auto: by byte order mark, else UTF-8", validator=is_encoding)

    @staticmethod
    def example() -> bytes:
        return b"CHAPTER I\n\nIt was late. It was dark.\n\nA dog barked\nfar away.\n\nCHAPTER II\n\nThe end.\n"

    def build(self) -> Callable[[Source], Iterator[Article]]:
        return {"file": self._files, "line": self._lines, "heading": self._chapters}[self.article]

    def _files(self, source: Source) -> Iterator[Article]:
        yield Article(source.name, paragraphs(source.lines(self.encoding)))

    def _chapters(self, source: Source) -> Iterator[Article]:
        pattern = re.compile(self.heading, re.IGNORECASE)

        def items() -> Iterator[Heading | str]:
            for paragraph in paragraphs(source.lines(self.encoding)):
                heading = len(paragraph) <= 200 and "\n" not in paragraph and pattern.fullmatch(paragraph.strip())
                yield Heading(1, paragraph) if heading else paragraph

        return articles(source.name, items(), depth=1)

    def _lines(self, source: Source) -> Iterator[Article]:
        rest, number = source.lines(self.encoding), 0

        def one(part: str) -> Iterator[str]:
            while not part.endswith("\n") and (following := next(rest, None)) is not None:
                yield part + " " * bool(following.strip())
                part = following
            yield part.rstrip()

        for line in rest:
            number += 1  # noqa: SIM113 – lines are also taken from it within
            if not line.isspace():
                article = Article(f"{source.name}:{number}", one(line))
                yield article
                for _ in article.paragraphs:  # what was not read
                    pass
