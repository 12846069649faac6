"""Whole sentences, as many as fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs.validators import ge

from lvm_chunkers.stream import blocks, pieces
from lvmcore import Tokenizer, component, needs, option


@component
class Sentences:
    """Whole sentences up to `most` words; a longer sentence is cut where a clause ends, or between words.

    A paragraph that ends when at least half of `most` is reached ends the chunk. What is left at the end of an article,
    if it is less than a quarter of `most`, is added to the chunk before. Abbreviations, initials and numbers are told
    from ends of sentences by nupunkt, for English.
    """

    most: int = option(default=40, help="words of a chunk, at most", validator=ge(1))

    def build(self, tokenizer: Tokenizer | None) -> Callable[[Iterable[str]], Iterator[str]]:
        split = needs("nupunkt", "text").sent_tokenize
        return lambda paragraphs: self._chunks(_sentences(paragraphs, split))

    def _chunks(self, sentences: Iterable[tuple[list[str], bool]]) -> Iterator[str]:
        before: list[str] = []  # the chunk that the end of the article may still be added to
        held: list[str] = []
        for sentence, ends in sentences:
            for piece in pieces(sentence, self.most):
                if held and len(held) + len(piece) > self.most:
                    if before:
                        yield " ".join(before)
                    before, held = held, []
                held = held + piece
            if ends and 2 * len(held) >= self.most:
                if before:
                    yield " ".join(before)
                before, held = held, []
        if before and held and 4 * len(held) < self.most:
            before, held = before + held, []
        for last in (before, held):
            if last:
                yield " ".join(last)


def _sentences(paragraphs: Iterable[str], split: Callable[[str], Iterable[str]]) -> Iterator[tuple[list[str], bool]]:
    """The words of each sentence, and whether its paragraph ends with it."""
    kept: list[str] = []  # the last sentence of a block may go on in the next
    for block, ends in blocks(paragraphs):
        found = [words for text in split(" ".join(kept + block)) if (words := text.split())]
        kept = []
        if not ends and len(found[-1]) < len(block):
            kept = found.pop()
        for i, words in enumerate(found, 1):
            yield words, ends and i == len(found)
