"""Predictions in the words of a corpus: the chunks that are nearest to each."""

from __future__ import annotations

import attrs
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.prediction.search import searched
from lvmcore.turns import Turns

SAME = 1 - 1e-3
"""The cosine from which a row of the corpus is the given chunk itself, though it was encoded in half precision."""


@attrs.frozen
class Neighbour:
    """A chunk of the corpus."""

    row: int
    cosine: float
    """To the prediction."""
    article: int
    title: str
    """Of the article; empty where the corpus names none."""
    chunk: int
    """Its place in the article, from 0."""
    text: str | None
    """None where the corpus has no texts."""


def neighbours(
    corpus: Corpus, context: Tensor, predicted: Tensor, count: int
) -> Turns[tuple[tuple[Neighbour, ...], ...]]:
    """The chunks nearest to each prediction, the best first; rows that are a chunk of the context are left out.

    Args:
        context: (C, D) unit rows, of which the predictions are made.
        predicted: (steps, D) unit vectors.
        count: chunks a prediction.
    """
    cosines, rows = yield from searched(corpus, context, count)
    own = rows[cosines >= SAME].unique()
    cosines, rows = yield from searched(corpus, predicted, count, without=own)
    return tuple(
        tuple(_neighbour(corpus, int(row), float(cosine)) for row, cosine in zip(*step, strict=True))
        for step in zip(rows, cosines, strict=True)
    )


def _neighbour(corpus: Corpus, row: int, cosine: float) -> Neighbour:
    article = int(corpus.article_of[row])
    title = corpus.info.titles[article] if corpus.info.titles else ""
    text = corpus.texts[row] if corpus.texts else None
    return Neighbour(row, round(cosine, 6), article, title, row - int(corpus.starts[article]), text)
