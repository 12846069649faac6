"""Rows that stand more than once, or nearly: a copy in another split is a leak."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.keys import content_keys
from lvmcore.data.windows import SPLITS

_BLOCK = 2048


@attrs.frozen
class Copies:
    """How many rows of a split have a copy, by where it stands; one row may have several."""

    rows: int
    """Rows that were looked at."""
    article: int
    """With one in their own article."""
    split: int
    """With one in another article of their split."""
    across: int
    """With one in another split."""


@attrs.frozen
class Duplicates:
    """Copies among some rows; what stands outside them is not seen."""

    threshold: float
    """The cosine from which on a row is nearly another."""
    exact: dict[str, Copies]
    """By split: rows that are equal to float16."""
    near: dict[str, Copies]
    """By split: rows at a cosine of `threshold` or more, exact copies among them."""


def duplicates(corpus: Corpus, few: Corpus, threshold: float) -> Duplicates:
    """Look for copies.

    Args:
        corpus: where exact ones are looked for; a hash a row is kept.
        few: where near ones are looked for, every row against every other.
    """
    return Duplicates(threshold, exact(corpus), near(few, threshold))


def exact(corpus: Corpus) -> dict[str, Copies]:
    """Rows whose values are equal when rounded to float16."""
    parts = [content_keys(corpus.rows(rows)[:, None]) for rows in torch.arange(len(corpus)).split(_BLOCK)]
    row = torch.cat(parts).unique(return_inverse=True)[1]
    article = corpus.article_of[torch.arange(len(corpus))]
    split = corpus.splits.long()[article]
    alike = _sizes(row)
    in_split, in_article = _sizes(row * len(SPLITS) + split), _sizes(row * len(corpus.splits) + article)
    return _by_split(split, in_article > 1, in_split > in_article, alike > in_split)


def near(corpus: Corpus, threshold: float) -> dict[str, Copies]:
    """Rows whose cosine with another is at least the threshold; block by block, each pair once."""
    article = corpus.article_of[torch.arange(len(corpus))]
    split = corpus.splits.long()[article]
    found = torch.zeros(3, len(corpus), dtype=torch.bool)  # in the article, in the split, across
    blocks = torch.arange(len(corpus)).split(_BLOCK)
    for number, left in enumerate(blocks):
        rows = corpus.rows(left)
        for right in blocks[number:]:
            alike = rows @ corpus.rows(right).T >= threshold
            one, other = (side[place] for side, place in zip((left, right), alike.nonzero(as_tuple=True), strict=True))
            one, other = one[one != other], other[one != other]
            kind = torch.where(article[one] == article[other], 0, torch.where(split[one] == split[other], 1, 2))
            found[kind, one] = found[kind, other] = True
    return _by_split(split, *found)


def _sizes(group: Tensor) -> Tensor:
    """How many are in each one's group (N,)."""
    _, inverse, counts = group.unique(return_inverse=True, return_counts=True)
    return counts[inverse]


def _by_split(split: Tensor, article: Tensor, within: Tensor, across: Tensor) -> dict[str, Copies]:
    counted = {}
    for number, name in enumerate(SPLITS):
        own = split == number
        counted[name] = Copies(int(own.sum()), *(int((own & flags).sum()) for flags in (article, within, across)))
    return counted
