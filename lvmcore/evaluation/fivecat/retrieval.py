"""Test B, retrieval: is the target the row of its article that the prediction is nearest to?"""

from __future__ import annotations

import attrs
import numpy as np
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.evaluation.chunk import Chunk, pointing, where
from lvmcore.evaluation.statistics import RATE, Figure, Statistics

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
    """Rank of each window's target and the number of candidates, with and without the context rows.

    A prediction that is no direction finds nothing: its target stands last.
    """
    batch, starts = chunk.batch, chunk.batch.corpus.starts
    articles = batch.articles.unique()
    rows = torch.cat([torch.arange(*starts[article : article + 2].tolist()) for article in articles.tolist()])
    alike = chunk.keys.alike[rows]
    targets = torch.searchsorted(rows, batch.targets)[:, None]  # (B, 1), places among rows
    similarities = _similarities(chunk.prediction, batch.corpus, alike)
    own = similarities.gather(1, targets)
    higher, ties = similarities > own, similarities == own
    copies = alike == alike[targets]
    # (B, R): a window's candidates are rows of its own article
    inside = batch.corpus.article_of[rows] == batch.articles[:, None]
    counts = {"all": [(mask & inside).sum(1) for mask in (inside, higher, ties, copies)]}
    seen = targets - torch.arange(1, batch.length + 1)  # (B, C)
    of_seen = [mask.gather(1, seen).sum(1) for mask in (inside, higher, ties, copies)]
    counts["unseen"] = [whole - part for whole, part in zip(counts["all"], of_seen, strict=True)]
    columns: dict[str, Tensor] = {}
    lost = ~pointing(chunk.prediction)
    for kind, (candidates, above, level, same) in counts.items():
        enough = candidates >= LEAST
        above, level = torch.where(lost, candidates - 1, above), torch.where(lost, 1, level)
        found = {
            "rank": 1 + above + (level - 1) / 2,
            "candidates": candidates,
            "duplicates": same - 1,
            **standing(above, level),
            **{f"chance_{name}": value for name, value in standing(torch.zeros_like(above), candidates).items()},
        }
        columns |= {f"B/{kind}/{name}": where(enough, values) for name, values in found.items()}
    return columns


def standing(above: Tensor, level: Tensor) -> dict[str, Tensor]:
    """R@1, R@5 and MRR (B,) of targets with so many rows above them, on one level with so many, themselves included.

    A target stands at each place of its level equally often, so that what ranks all rows alike gets what chance gives.
    """
    harmonic = torch.cat([torch.zeros(1), (1 / torch.arange(1, 1 + int((above + level).max())).double()).cumsum(0)])
    return {
        "r1": ((1 - above) / level).clamp(0, 1),
        "r5": ((5 - above) / level).clamp(0, 1),
        "mrr": (harmonic[above + level] - harmonic[above]) / level,
    }


def _similarities(prediction: Tensor, corpus: Corpus, alike: Tensor) -> Tensor:
    """Cosines of predictions (B, D) and rows (R,), by one product → (B, R).

    Equal rows share one column of the product: two columns of it may round differently, one can't.
    """
    distinct, column = alike.unique(return_inverse=True)
    return (prediction @ corpus.rows(distinct).T).index_select(1, column)


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
        *(statistics.figure(f"B/{kind}/{name}", RATE) for name in names),
        windows=statistics.count(f"B/{kind}/rank"),
        skipped_articles=statistics.articles_without(f"B/{kind}/rank") + len(statistics.too_short),
        duplicates=int((duplicates > 0).sum()),
    )
