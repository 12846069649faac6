"""Text on its way to a corpus: where it is read from, its articles, and what makes chunks and vectors of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, Protocol

import attrs

from lvmcore.data.sources.decode import decoded, lines
from lvmcore.errors import LvmError
from lvmcore.plain import clean, clean_title

if TYPE_CHECKING:
    import numpy as np

PART = 1 << 20
"""The most characters of a paragraph that are handed on at once."""


def parts(paragraphs: Iterable[str]) -> Iterator[str]:
    """Clean paragraphs, each stripped and not empty; a long one in parts.

    A part that goes on in the next string ends in white space, and no other string does.
    """
    for paragraph in paragraphs:
        goes_on = " " if paragraph[-1:].isspace() else ""
        text = clean(paragraph).strip()
        first = 0
        while len(text) - first > PART:
            cut = max(text.rfind(end, first, first + PART) for end in " \n") + 1 or first + PART
            if part := text[first:cut].strip():
                yield part + " "
            first = cut
        if text:
            yield text[first:].strip() + goes_on


@attrs.frozen
class Article:
    """A text that stands for itself: what splits are drawn of, and what no window reaches beyond.

    Args:
        title: what names it, unique enough: a path, `path#heading`, or the column of titles.
        paragraphs: its text as a stream, so that an article of any length is never held in memory. Each is stripped
            and not empty. One of more than about a million characters comes in parts: a string that ends in white
            space goes on in the next one.

    Both are made clean of control characters here, whatever reader they come from.
    """

    title: str = attrs.field(converter=clean_title)
    paragraphs: Iterator[str] = attrs.field(converter=parts)


@attrs.frozen
class Source:
    """A file of text, or a member of an archive, already unpacked.

    Args:
        name: its path as it was given; a member of an archive is `a.zip/b.txt`.
        opener: opens it from the beginning.
    """

    name: str = attrs.field(converter=clean_title)
    opener: Callable[[], BinaryIO] = attrs.field(repr=False)

    @property
    def where(self) -> str:
        """The place that an error names."""
        return self.name

    def open(self) -> BinaryIO:
        """Its bytes from the beginning; to be closed by who opens it."""
        return self.opener()

    def text(self, encoding: str = "auto", fallback: str = "utf-8") -> Iterator[str]:
        """Its text in blocks, every line end a newline.

        Args:
            encoding: `auto` for what the byte order mark says, and `fallback` where there is none.

        Raises:
            LvmError: it is no text, or not in this encoding; the byte is named.
        """
        with self.open() as file:
            try:
                yield from decoded(file, encoding, self.where, fallback)
            except OSError as problem:
                raise LvmError(f"the file cannot be read: {problem.strerror or problem}", where=self.where) from None

    def lines(self, encoding: str = "auto", longest: int = PART // 4) -> Iterator[str]:
        """Its lines, each with its newline; one longer than about `longest` characters in parts without one."""
        return lines(self.text(encoding), longest)


class Tokenizer(Protocol):
    """What an encoder counts as a token: text → the span of characters (first, beyond the last) of each."""

    def __call__(self, text: str, /) -> list[tuple[int, int]]: ...


@attrs.frozen
class EncoderFacts:
    """Which encoder made a corpus.

    Args:
        name: as it is known, such as `sentence-transformers/all-MiniLM-L6-v2`.
        revision: its version.
        weights: `sha256:…` of its weights; empty where it has none.
    """

    name: str
    revision: str
    weights: str


class Encoding(Protocol):
    """An encoder at work: `dim` D, its `facts`, and its `tokenizer` where it has one.

    `encode` maps B texts to (B, D) float32, in the order given; rows are of length 1 where the model normalises.
    `truncated` counts the texts so far that were longer than the model reads, and were cut.
    """

    @property
    def dim(self) -> int: ...

    @property
    def facts(self) -> EncoderFacts: ...

    @property
    def tokenizer(self) -> Tokenizer | None: ...

    @property
    def truncated(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...
