"""A number of the encoder's tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from attrs.validators import ge

from lvm_chunkers.stream import packed, words
from lvmcore import LvmError, Tokenizer, component, option

BLOCK = 1 << 10
"""Words that are given to the tokenizer at once."""


@component
class Tokens:
    """Whole words that give at most `most` tokens of the encoder; a word that alone gives more is cut."""

    most: int = option(default=64, help="tokens of a chunk, without the marks that the encoder adds", validator=ge(1))

    def build(self, tokenizer: Tokenizer | None) -> Callable[[Iterable[str]], Iterator[str]]:
        if tokenizer is None:
            raise LvmError(
                "the encoder has no tokenizer, so that its tokens cannot be counted",
                where=f"--chunker tokens:{self.most}",
                fix="--chunker words:40, or sentences:40",
            )

        def counted(paragraphs: Iterable[str]) -> Iterator[tuple[str, int]]:
            rest = words(paragraphs)
            while block := list(islice(rest, BLOCK)):
                for word, begins in _starts(block, tokenizer):
                    for first in range(0, max(1, len(begins)), self.most):
                        own = begins[first : first + self.most]
                        end = begins[first + self.most] if first + self.most < len(begins) else len(word)
                        yield word[own[0] if first else 0 : end], len(own)

        return lambda paragraphs: packed(counted(paragraphs), self.most)


def _starts(block: list[str], tokenizer: Tokenizer) -> Iterator[tuple[str, list[int]]]:
    """Each word, and where in it its tokens begin."""
    spans = iter(sorted(span for span in tokenizer(" ".join(block)) if span[0] < span[1]))
    span, begin = next(spans, None), 0
    for word in block:
        end, begins = begin + len(word), []
        while span and span[0] < end:
            begins.append(max(0, span[0] - begin))
            span = next(spans, None)
        yield word, begins
        begin = end + 1
