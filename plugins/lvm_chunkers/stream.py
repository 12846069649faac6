"""Paragraphs in parts → words, in a way that depends on the text alone and not on where the parts end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

BLOCK = 1 << 13
"""Words of a paragraph that are held at a time."""
LETTERS = 500
"""The length at which a word is cut: it is none."""

_CLAUSE_ENDS = '.!?;:,)]—–…”"'
_WORD = re.compile(rf"\S{{1,{LETTERS}}}")


def words(paragraphs: Iterable[str]) -> Iterator[str]:
    """The words of all paragraphs, one after another."""
    for paragraph in paragraphs:
        yield from _WORD.findall(paragraph)


def blocks(paragraphs: Iterable[str], size: int = BLOCK) -> Iterator[tuple[list[str], bool]]:
    """The words of each paragraph, and whether it ends with them; a long one in blocks of `size` words."""
    held: list[str] = []
    for part in paragraphs:
        held += _WORD.findall(part)
        while len(held) > size:
            yield held[:size], False
            held = held[size:]
        if held and not part[-1:].isspace():
            yield held, True
            held = []
    if held:
        yield held, True


def pieces(words: list[str], most: int) -> Iterator[list[str]]:
    """Words cut into as few pieces of at most `most` as there can be, about alike, where a clause ends if one does."""
    first, left = 0, len(words)
    while (count := -(-left // most)) > 1:
        aim = left / count
        ends = [i for i in range(left - (count - 1) * most, most + 1) if i and words[first + i - 1][-1] in _CLAUSE_ENDS]
        cut = min(ends, key=lambda i: abs(i - aim), default=round(aim))
        yield words[first : first + cut]
        first, left = first + cut, left - cut
    yield words[first:]


def packed(items: Iterable[tuple[str, int]], most: int) -> Iterator[str]:
    """Words with a weight each, none above `most`, packed into chunks that weigh at most `most`.

    The last two share evenly where the last would weigh less than a quarter of that.
    """
    before: list[tuple[str, int]] = []
    held: list[tuple[str, int]] = []
    size = 0
    for item in items:
        if held and size + item[1] > most:
            if before:
                yield _joined(before)
            before, held, size = held, [], 0
        held.append(item)
        size += item[1]
    if before and 4 * size < most:
        both = before + held
        left, total = 0, sum(weight for _, weight in both)
        for cut, (_, weight) in enumerate(both, 1):
            left += weight
            if 2 * left >= total:
                before, held = both[:cut], both[cut:]
                break
    yield from (_joined(last) for last in (before, held) if last)


def _joined(items: list[tuple[str, int]]) -> str:
    return " ".join(word for word, _ in items)
