"""Vectors without a model: what a test, or a first look at a text, needs."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import attrs
import numpy as np
from attrs.validators import ge

from lvmcore import EncoderFacts, Encoding, component, option

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w+|[^\w\s]")


@component
class Hash:
    """Words and pairs of words, each hashed to a direction of its own: needs no model and no extra.

    Texts that share words are near each other, and that is all it knows. The same text has the same bits on every
    machine.
    """

    dim: int = option(default=64, help="dimensions D of a row", validator=ge(2))

    def build(self, device: str, precision: str) -> Encoding:
        return HashEncoding(self.dim)


@attrs.frozen
class HashEncoding:
    """Device and precision change nothing: signs are counted, which is exact."""

    dim: int
    facts: EncoderFacts = EncoderFacts("hash", "1", "")
    truncated: int = 0

    def tokenizer(self, text: str, /) -> list[tuple[int, int]]:
        """The spans of words and of signs between them."""
        return [found.span() for found in _TOKEN.finditer(text)]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.empty((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = _WORD.findall(text.lower())
            pairs = (" ".join(pair) for pair in pairwise(words))
            # the text as a whole counts half: no channel of whole numbers and a half is ever 0
            counts = _direction(f"text: {text}", self.dim) / 2
            for feature in {*words, *pairs}:
                counts += _direction(feature, self.dim)
            row[:] = counts / math.sqrt(counts @ counts)
        return rows


@lru_cache(1 << 14)
def _direction(feature: str, dim: int) -> np.ndarray:
    """A vector (D,) of signs that looks random and is always the same."""
    bits = np.frombuffer(hashlib.shake_128(feature.encode("utf-8", "surrogatepass")).digest(-(-dim // 8)), np.uint8)
    return np.unpackbits(bits, count=dim).astype(np.int8) * 2 - 1
