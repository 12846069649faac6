"""A number of words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs.validators import ge

from lvm_chunkers.stream import packed, words
from lvmcore import Tokenizer, component, option


@component
class Words:
    """As many words, wherever sentences end; the last two chunks share evenly where less than a quarter is left."""

    count: int = option(default=40, help="words of a chunk", validator=ge(1))

    def build(self, tokenizer: Tokenizer | None) -> Callable[[Iterable[str]], Iterator[str]]:
        return lambda paragraphs: packed(((word, 1) for word in words(paragraphs)), self.count)
