"""Headings and paragraphs → articles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

import attrs

from lvmcore import Article


@attrs.frozen
class Heading:
    """A heading of a level, 1 for the highest, among paragraphs."""

    level: int
    text: str


def articles(name: str, items: Iterable[Heading | str], depth: int) -> Iterator[Article]:
    """An article for what stands before the first heading of at most this depth, and one for each such heading.

    The heading names its article, `name#heading`, and is no part of its text; deeper ones are paragraphs. The same
    heading again is `name#heading (2)`.
    """
    rest, title = iter(items), name
    seen: Counter[str] = Counter()
    following: list[Heading] = []

    def paragraphs() -> Iterator[str]:
        for item in rest:
            if not isinstance(item, Heading):
                yield item
            elif item.level > depth:
                yield item.text
            else:
                following.append(item)
                return

    while True:
        own = paragraphs()
        if (first := next(own, None)) is not None:
            yield Article(title, chain([first], own))
            for _ in own:
                pass
        if not following:
            return
        text = " ".join(following.pop().text.split())
        seen[text] += 1
        title = f"{name}#{text}" + (f" ({seen[text]})" if seen[text] > 1 else "")
