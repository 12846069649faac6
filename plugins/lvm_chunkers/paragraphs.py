"""A paragraph a chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs.validators import ge

from lvm_chunkers.stream import blocks, pieces
from lvmcore import Tokenizer, component, option


@component
class Paragraphs:
    """A paragraph; one of more than `most` words is cut where a sentence or a clause ends, or between words."""

    most: int = option(default=200, help="words of a chunk, at most", validator=ge(1))

    def build(self, tokenizer: Tokenizer | None) -> Callable[[Iterable[str]], Iterator[str]]:
        def chunks(paragraphs: Iterable[str]) -> Iterator[str]:
            for block, _ in blocks(paragraphs, size=64 * self.most):
                yield from map(" ".join, pieces(block, self.most))

        return chunks
