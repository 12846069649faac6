"""How alike two texts are, from 256 bytes a text: MinHash over windows of 32 bytes, wherever chunks begin and end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

VALUES = 64
"""Values of a sketch; the share of equal ones estimates the share of windows that two texts have in common."""
BANDS = 16
"""Texts that agree in one band of four values are compared: of those 0.8 alike all but 2 in 10,000 do."""
_LEVELS = 5
_WINDOW = 2**_LEVELS
_BLOCK = 1 << 16
_SAMPLED = np.uint64(7)
"""A window counts if these bits of its hash are 0, whichever text it is in: one in eight."""


def _constants(name: str, count: int) -> np.ndarray:
    """Odd numbers that no version of a library changes, since a corpus is to be built again as it was."""
    state = (hashlib.blake2b(f"{name} {i}".encode(), digest_size=8).digest() for i in range(count))
    return np.frombuffer(b"".join(state), "<u8").astype(np.uint64) | np.uint64(1)


_LETTERS, _STEPS = _constants("letter", 256), _constants("step", _LEVELS)
_FACTORS, _TERMS = _constants("factor", VALUES), _constants("term", VALUES)


class Sketch:
    """Made from a text as it comes; spaces and capitals do not count."""

    def __init__(self) -> None:
        self._least = np.full(VALUES, 2**32 - 1, np.uint64)
        self._held = bytearray()
        self._taken = False

    def add(self, text: str) -> None:
        self._held += " ".join(text.casefold().split()).encode("utf-8", "replace") + b" "
        if len(self._held) >= _BLOCK:
            self._take()

    def end(self) -> bytes:
        """The sketch, (64,) uint32; of a text of a few words it tells no more than whether another is the same."""
        self._take()
        if not self._taken:
            self._learn(np.frombuffer(hashlib.blake2b(self._held, digest_size=8).digest(), "<u8").astype(np.uint64))
        return self._least.astype("<u4").tobytes()

    def _take(self) -> None:
        hashes = _LETTERS[np.frombuffer(bytes(self._held), np.uint8)]
        for level in range(_LEVELS):  # of windows of 2, 4, … 32 bytes
            hashes = hashes[: -(2**level)] * _STEPS[level] + hashes[2**level :]
        hashes = _mixed(hashes)
        sampled = hashes[(hashes & _SAMPLED) == 0]
        if len(sampled):
            self._learn(sampled)
        if self._taken:
            del self._held[: max(0, len(self._held) - _WINDOW + 1)]

    def _learn(self, hashes: np.ndarray) -> None:
        found = ((hashes[:, None] * _FACTORS + _TERMS) >> np.uint64(32)).min(axis=0)
        self._least = np.minimum(self._least, found)
        self._taken = True


def alike(first: bytes, second: bytes) -> float:
    """The estimated share of windows that two texts have in common, from 0 to 1."""
    return float((np.frombuffer(first, "<u4") == np.frombuffer(second, "<u4")).mean())


def bands(sketch: bytes) -> Iterable[int]:
    """A signed number of 64 bits for each band; texts that have one in common may be alike."""
    halves = np.frombuffer(sketch, "<u8").astype(np.uint64).reshape(BANDS, 2)
    numbered = halves[:, 0] * _STEPS[0] + halves[:, 1] * _STEPS[1] + _STEPS[2] * np.arange(BANDS, dtype=np.uint64)
    return _mixed(numbered).view(np.int64).tolist()


def _mixed(hashes: np.ndarray) -> np.ndarray:
    hashes = (hashes ^ (hashes >> np.uint64(33))) * _STEPS[3]
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _STEPS[4]
    return hashes ^ (hashes >> np.uint64(32))
