"""Test B, retrieval: is the target the row of its article that the prediction is nearest to?"""

from __future__ import annotations

import attrs
import numpy as np
import torch
from torch import Tensor

from lvmcore.evaluation.chunk import Chunk
from lvmcore.evaluation.statistics import Figure, Statistics

LEAST = 6
"""Articles with fewer candidates are left out and counted."""


@attrs.frozen
class Retrieval:
    """R@1, R@5 and MRR, each beside what chance gives for these candidate counts."""

    r1: Figure
    r5: Figure
    mrr: Figure
    chance_r1: Figure
    chance_r5: Figure
    chance_mrr: Figure
    windows: int
    skipped_articles: int
    duplicates: int


@attrs.frozen
class RetrievalResult:
    """Retrieval among all rows of the article, and among those that are not in the context."""

    all: Retrieval
    unseen: Retrieval | None
    """None under `5cat-2025`, which knows no such candidates."""


def measure(chunk: Chunk) -> dict[str, Tensor]:
    """Rank of each window's target and the number of candidates, with and without the context rows."""
    corpus, batch = chunk.batch.corpus, chunk.batch
    columns = {
        f"B/{kind}/{name}": torch.full((len(batch.targets),), torch.nan)
        for kind in ("all", "unseen")
        for name in ("rank", "candidates", "duplicates")
    }
    for article in batch.articles.unique().tolist():
        start, end = corpus.starts[article : article + 2].tolist()
        windows = (batch.articles == article).nonzero().squeeze(1)
        similarities, same = _similarities(chunk.prediction[windows], corpus.rows(torch.arange(start, end)))
        targets = batch.targets[windows] - start
        seen = torch.zeros_like(similarities, dtype=torch.bool)
        seen.scatter_(1, targets[:, None] - torch.arange(1, batch.length + 1), True)
        for kind, candidates in (("all", torch.ones_like(seen)), ("unseen", ~seen)):
            rank, count = _rank(similarities, targets, candidates)
            columns[f"B/{kind}/rank"][windows] = rank
            columns[f"B/{kind}/candidates"][windows] = count
            columns[f"B/{kind}/duplicates"][windows] = ((same[targets] & candidates).sum(1) - 1).float()
    for kind in ("all", "unseen"):
        rank, count = columns[f"B/{kind}/rank"], columns[f"B/{kind}/candidates"]
        rank[count < LEAST] = columns[f"B/{kind}/duplicates"][count < LEAST] = torch.nan
        columns |= _figures(kind, rank, count)
    return columns


def _similarities(prediction: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines (B, L) by one product, and which rows are equal (L, L).

    Equal rows share one column of the product: two columns of it may round differently, one can't.
    """
    distinct, inverse = rows.unique(dim=0, return_inverse=True)
    return (prediction @ distinct.T)[:, inverse], inverse[:, None] == inverse


def _rank(similarities: Tensor, targets: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """1 + the candidates above the target + half of those that tie with it; and how many candidates there are."""
    own = similarities.gather(1, targets[:, None])
    higher = ((similarities > own) & candidates).sum(1)
    ties = ((similarities == own) & candidates).sum(1) - 1
    return 1 + higher + 0.5 * ties, candidates.sum(1).float()


def _figures(kind: str, rank: Tensor, count: Tensor) -> dict[str, Tensor]:
    there = ~rank.isnan()
    harmonic = torch.cat([torch.zeros(1), (1 / torch.arange(1, 2 + int(count.nan_to_num().max()))).cumsum(0)])
    chance = {
        "r1": 1 / count,
        "r5": (5 / count).clamp(max=1),
        "mrr": harmonic[count.nan_to_num().long()] / count,
    }
    found = {"r1": (rank <= 1).float(), "r5": (rank <= 5).float(), "mrr": 1 / rank}
    columns = {f"B/{kind}/{name}": torch.where(there, values, torch.nan) for name, values in found.items()}
    return columns | {f"B/{kind}/chance_{n}": torch.where(there, v, torch.nan) for n, v in chance.items()}


def report(statistics: Statistics) -> RetrievalResult:
    kinds = [
        _report(statistics, kind) if f"B/{kind}/rank" in statistics.columns else None for kind in ("all", "unseen")
    ]
    assert kinds[0] is not None
    return RetrievalResult(kinds[0], kinds[1])


def _report(statistics: Statistics, kind: str) -> Retrieval:
    names = ("r1", "r5", "mrr", "chance_r1", "chance_r5", "chance_mrr")
    duplicates = statistics.columns.get(f"B/{kind}/duplicates", np.zeros(0))
    return Retrieval(
        *(statistics.figure(f"B/{kind}/{name}", bounds=(0, 1)) for name in names),
        windows=statistics.count(f"B/{kind}/rank"),
        skipped_articles=statistics.articles_without(f"B/{kind}/rank"),
        duplicates=int((duplicates > 0).sum()),
    )
