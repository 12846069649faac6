"""Lines → paragraphs, as streams: nothing longer than a part of a paragraph is held."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

PART = 1 << 19
"""Characters after which a paragraph is handed on in parts."""

_BLANK = re.compile(r"\n\s*\n")


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """The paragraphs of lines, with blank lines between them; a part that goes on in the next ends in white space."""
    held: list[str] = []
    size = 0
    for line in lines:
        if line.endswith("\n") and line.isspace():
            if held:
                yield "".join(held).rstrip()
            held, size = [], 0
            continue
        if size >= PART:
            yield "".join(held).rstrip() + " "
            held, size = [], 0
        held.append(line)
        size += len(line)
    if held:
        yield "".join(held).rstrip()


def split(text: str) -> list[str]:
    """The paragraphs of a text that is held already."""
    return _BLANK.split(text.replace("\r\n", "\n"))
