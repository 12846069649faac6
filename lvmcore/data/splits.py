"""Which articles train, validate and stand outside: by a hash of their names, by patterns, by source."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import translate
from typing import Literal

import attrs
import numpy as np

from lvmcore.data.windows import SPLITS
from lvmcore.errors import LvmError

TRAIN, VAL, OOD = range(3)
Shares = tuple[float, float, float]


@attrs.frozen
class Division:
    """The split of every article, (A,) uint8, and what should be known about it."""

    splits: np.ndarray
    notes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Rule:
    """How the articles of a corpus are divided.

    Args:
        shares: of train, val and ood, taken in proportion.
        seed: of the hash that draws.
        val: patterns of what validates. Where there are any none is drawn, and what would have been trains.
        ood: the same of what stands outside.
        by: what is drawn: each article for itself, or all articles of a source together.
    """

    shares: Shares = (80, 10, 10)
    seed: int = 0
    val: tuple[str, ...] = ()
    ood: tuple[str, ...] = ()
    by: Literal["article", "source"] = "article"

    def divide(self, titles: Sequence[str], sources: Sequence[str] = ()) -> Division:
        """Divide articles of these titles, which come from these sources; patterns may match either.

        Raises:
            LvmError: a pattern that matches nothing, an article that is both val and ood, sources that are not known.
        """
        if self.by == "source" and len(sources) != len(titles):
            raise LvmError("the sources of the articles are not known", fix="draw by article, or give patterns")
        splits = np.zeros(len(titles), np.uint8)
        for split, patterns in ((VAL, self.val), (OOD, self.ood)):
            for pattern in patterns:
                found = matching(titles, pattern) | (matching(sources, pattern) if len(sources) else False)
                if not found.any():
                    raise LvmError(
                        f"the pattern '{pattern}' matches no article",
                        expected=f"one that matches a title or a source, such as '{titles[0]}'" if titles else None,
                    )
                if (twice := found & (splits == (OOD if split == VAL else VAL))).any():
                    title = titles[int(twice.argmax())]
                    raise LvmError(f"'{title}' is asked for in both val and ood", where=f"the pattern '{pattern}'")
                splits[found] = split
        free = np.flatnonzero(splits == TRAIN)
        drawn_by = sources if self.by == "source" else titles
        names = [drawn_by[i] for i in free.tolist()]
        drawing = _Drawing(self.shares, self.seed, TRAIN if self.val else VAL, TRAIN if self.ood else OOD)
        drawn, moved = drawing.draw(names)
        splits[free] = drawn
        return Division(splits, (*(self._said(name, split) for name, split in moved), *self._remarks(splits)))

    def _said(self, name: str, split: int) -> str:
        return f"no {self.by} was drawn for {SPLITS[split]}, so '{name}' went there; with others beside it it may not"

    def _remarks(self, splits: np.ndarray) -> Iterator[str]:
        for split, name in enumerate(SPLITS):
            if not (splits == split).any():
                yield f"no article is in {name}"
        if not self.ood and self.by == "article" and (splits == OOD).any():
            yield (
                "the OOD articles were drawn at random from the same text, so they are not out of domain: figures on "
                "them are a second validation"
            )


def parse_shares(text: str) -> Shares:
    """Read `80/10/10`.

    Raises:
        LvmError: anything but three shares, the first of which is positive.
    """
    try:
        train, val, ood = (float(part) for part in text.split("/"))
        if not all(math.isfinite(share) and share >= 0 for share in (train, val, ood)) or train == 0:
            raise ValueError
    except ValueError:
        raise LvmError(
            f"'{text}' are no shares", expected="those of train, val and ood, such as 80/10/10 or 90/10/0"
        ) from None
    return train, val, ood


def drawn(titles: Sequence[str], shares: Shares = (80, 10, 10), seed: int = 0) -> np.ndarray:
    """The split of each article, (A,) uint8, by a hash of its title, so that another article moves none.

    Three articles or more leave no split empty that has a share: where none fell into one, the nearest goes there.
    """
    return _Drawing(shares, seed).draw(titles)[0]


def matching(names: Sequence[str], pattern: str) -> np.ndarray:
    """Which names match a pattern of the shell's, (A,) bool: the whole of it, or what follows one of its slashes.

    A `*` passes over slashes: `books/*` matches `books/austen/emma.txt` and `texts/books/emma.txt`.
    """
    expression = re.compile(f"(?:.*/)?(?:{translate(pattern)})", re.DOTALL)
    return np.array([expression.match(name) is not None for name in names], bool)


@attrs.frozen
class _Drawing:
    """The unit interval, cut into shares of train, val and ood; a name falls at a point of it, by its hash."""

    shares: Shares
    seed: int
    val: int = VAL
    """The split that the share of val goes to."""
    ood: int = OOD

    def draw(self, names: Sequence[str]) -> tuple[np.ndarray, list[tuple[str, int]]]:
        """The split of each name (A,), and the names that were moved so that none is empty, with their splits."""
        at = {name: self._point(name) for name in sorted(set(names))}
        edges = np.cumsum(self.shares) / sum(self.shares)
        goes = (TRAIN, self.val, self.ood)
        held = {name: goes[min(int(np.searchsorted(edges, point, "right")), 2)] for name, point in at.items()}
        wanted = sorted({split for split, share in zip(goes, self.shares, strict=True) if share > 0})
        moved = []
        for split in wanted if len(at) >= len(wanted) else ():
            if split in held.values():
                continue
            middle = edges[split] - self.shares[split] / sum(self.shares) / 2
            filled = Counter(held.values())
            can = [name for name in at if filled[held[name]] > 1]
            chosen = min(can, key=lambda name: abs(at[name] - middle))
            held[chosen] = split
            moved.append((chosen, split))
        return np.array([held[name] for name in names], np.uint8), moved

    def _point(self, name: str) -> float:
        """From 0 to 1, evenly over all names, and nothing but the name and the seed decides where."""
        digest = hashlib.sha256(f"{self.seed}\n{name}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") / 2**64
