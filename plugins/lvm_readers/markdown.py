"""Markdown, parsed by markdown-it section by section, so that a file of any size is read as a stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, ClassVar

from attrs.validators import ge, le

from lvm_readers.headings import Heading, articles
from lvmcore import Article, Source, component, is_encoding, needs, option

SECTION, LONGEST = 1 << 14, 1 << 16
"""Characters after which a section ends at the next good place, and at the latest."""

_FENCE = re.compile(r"\s*(`{3,}|~{3,})([^`\n]*)\n?$")
_HEADING = re.compile(r" {0,3}#{1,6}\s")
_DEAD_LINK = re.compile(r"\[([^][]{1,500})\](?:\[[^][]{0,500}\])")
_FRONT = {"---": ("---", "..."), "+++": ("+++",)}
_FRONT_LINES = 200


@component
class Markdown:
    """Markdown: an article is a file, or a heading of at most some depth; code, tables, HTML, front matter are out."""

    suffixes: ClassVar[tuple[str, ...]] = (".md", ".markdown")

    depth: int = option(
        default=0, help="an article for each heading of at most this depth; 0: the file", validator=[ge(0), le(6)]
    )
    encoding: str = option(default="auto", help="auto: by byte order mark, else UTF-8", validator=is_encoding)

    @staticmethod
    def example() -> bytes:
        return (
            b"---\nname: x\n---\n# One *bold*\n\nSome [text](http://a.b), `code` and\nmore.\n\n```py\nx = 1\n```\n\n"
            b"- first\n- second\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nTwo\n===\n\n> quoted <b>so</b>\n"
        )

    def build(self) -> Callable[[Source], Iterator[Article]]:
        parser = needs("markdown_it", "text").MarkdownIt("commonmark").enable("table")

        def items(source: Source) -> Iterator[Heading | str]:
            for section, goes_on in _sections(_body(source.lines(self.encoding, LONGEST))):
                found = list(_items(parser.parse(section)))
                yield from found[:-1]
                for last in found[-1:]:
                    yield f"{last} " if goes_on and isinstance(last, str) else last

        return lambda source: articles(source.name, items(source), self.depth)


def _body(lines: Iterator[str]) -> Iterator[str]:
    """The lines behind the front matter."""
    head = list(islice(lines, 1))
    if head and (ends := _FRONT.get(head[0].rstrip())):
        head += islice(lines, _FRONT_LINES)
        last = next((i for i, line in enumerate(head) if i and line.rstrip() in ends), -1)
        head = head[last + 1 :] if last > 0 else head
    return chain(head, lines)


def _sections(lines: Iterator[str]) -> Iterator[tuple[str, bool]]:
    """Pieces that can be parsed alone, without fenced code, and whether the last paragraph goes on in the next."""
    held: list[str] = []
    size, fence, blank = 0, "", True
    for line in lines:
        found = _FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence) and not found[2].strip():
                fence = ""
            continue
        if found and not ("`" in found[1] and "`" in found[2]):
            fence, line = found[1], "\n"
        good = _HEADING.match(line) or (size > SECTION and blank and not line[0].isspace())
        if held and (good or size + len(line) > LONGEST):
            yield "".join(held), not good and not blank and not line.isspace()
            held, size = [], 0
        held.append(line)
        size += len(line)
        blank = line.isspace()
    if held:
        yield "".join(held), False


def _items(tokens: list[Any]) -> Iterator[Heading | str]:
    level, in_table = 0, False
    for token in tokens:
        if token.type in ("table_open", "table_close"):
            in_table = token.type == "table_open"
        elif token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "inline" and not in_table:
            if text := _DEAD_LINK.sub(r"\1", "".join(_words(token.children or []))).strip():
                yield Heading(level, text) if level else text
            level = 0


def _words(tokens: list[Any]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("text", "code_inline"):
            yield token.content
        elif token.type in ("softbreak", "hardbreak"):
            yield "\n"
