"""What a corpus holds: articles and windows, norms, how alike neighbours are, and how far each row is a new one."""

from __future__ import annotations

import attrs
import numpy as np
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.windows import SPLITS
from lvmcore.evaluation.figures import COSINE, Estimate
from lvmcore.evaluation.rows import cosine
from lvmcore.evaluation.statistics import Statistics

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = np.round(np.linspace(-0.2, 1, 25), 2)
"""Edges of the histogram of coherence; what is below the first is counted in the first bin."""
LAGS = 10
NORMS = 1_000_000
_BLOCK = 4096


@attrs.frozen
class Spread:
    """How some numbers lie: the least, the mean, the greatest, and quantiles by their share."""

    count: int
    least: float
    mean: float
    greatest: float
    quantiles: dict[str, float]

    @classmethod
    def of(cls, values: np.ndarray) -> Spread | None:
        """None where there are no values."""
        if not len(values):
            return None
        at = np.quantile(values, QUANTILES)
        named = {f"{share:g}": float(value) for share, value in zip(QUANTILES, at, strict=True)}
        return cls(len(values), float(values.min()), float(values.mean()), float(values.max()), named)


@attrs.frozen
class SplitFacts:
    """One split: its articles, rows and windows, and the lengths of its articles in rows."""

    articles: int
    chunks: int
    windows: int
    lengths: Spread | None


@attrs.frozen
class Neighbours:
    """How rows of one article follow each other."""

    coherence: Spread | None
    """cos(x_t, x_{t+1})."""
    histogram: dict[str, list[float]]
    """`edges` (25), and the `shares` of the neighbours that lie between them (24)."""
    lags: list[Estimate]
    """cos(x_{t+1}, x_{t−j}) for j = 0 … 9, with 95 % intervals over articles."""
    distinctness: Spread | None
    """Δ = 1 − cos(target, last row) over windows: what the sampler `forward` chooses by."""


def splits_of(corpus: Corpus, context: int) -> dict[str, SplitFacts]:
    """Every split by its name. Reads no row."""
    lengths = corpus.starts.diff()
    own = {split: lengths[corpus.splits == number] for number, split in enumerate(SPLITS)}
    return {
        split: SplitFacts(
            len(held), int(held.sum()), int((held - context).clamp(min=0).sum()), Spread.of(held.double().numpy())
        )
        for split, held in own.items()
    }


def norms(corpus: Corpus) -> Spread | None:
    """Lengths of the rows as they are stored, of a million rows at most, evenly spaced. Reads no row."""
    step = -(-len(corpus) // NORMS)
    return Spread.of((1 / corpus.scales[::step].double()).numpy())


def neighbours(corpus: Corpus, context: int, resamples: int, seed: int) -> Neighbours:
    """How the rows of a corpus that fits in memory follow each other."""
    place = torch.arange(len(corpus)) - corpus.starts[:-1].repeat_interleave(corpus.starts.diff())
    columns = {str(lag): _at_lag(corpus, place, lag) for lag in range(1, LAGS + 1)}
    statistics = Statistics(columns, corpus.article_of[torch.arange(len(corpus))].numpy(), resamples, seed)
    adjacent = columns["1"].astype(np.float64)
    coherence = adjacent[~np.isnan(adjacent)]
    counts = np.histogram(coherence.clip(BINS[0], BINS[-1]), BINS)[0]
    shares = counts / max(1, len(coherence))
    distinctness = 1 - adjacent[(place >= context).numpy()]
    return Neighbours(
        Spread.of(coherence),
        {"edges": BINS.tolist(), "shares": shares.tolist()},
        [statistics.figure(name, COSINE) for name in columns],
        Spread.of(distinctness),
    )


def _at_lag(corpus: Corpus, place: Tensor, lag: int) -> np.ndarray:
    """cos(x_t, x_{t−lag}) of every row (N,); NaN where the article has no such row."""
    column = np.full(len(corpus), np.nan, np.float32)
    for rows in (place >= lag).nonzero().squeeze(1).split(_BLOCK):
        column[rows.numpy()] = cosine(corpus.rows(rows), corpus.rows(rows - lag)).numpy()
    return column
