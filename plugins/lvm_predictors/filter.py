"""Six least-squares scalars: the best that a fixed mixture of the rows can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from lvmcore import Corpus, component

BATCH = 4096


@component
class Filter:
    """Σ aᵢ · row i + b · mean vector of the training rows; the scalars minimise the squared error on train.

    The last scalar takes out the corpus's own drift: without it a cheat can gain 0.02 over the filter.
    """

    role: ClassVar[str] = "baseline"
    fit: ClassVar[bool] = True
    directionless: ClassVar[bool] = True

    def build(self, corpus: Corpus, context: int) -> Callable[[Tensor], Tensor]:
        weights, mean = fit(corpus, context)
        return lambda rows: (rows * weights[:-1, None].to(rows.dtype)).sum(1) + (weights[-1] * mean).to(rows.dtype)


def fit(corpus: Corpus, context: int) -> tuple[Tensor, Tensor]:
    """The C + 1 scalars, and the mean vector (D,) of the training rows; both float64.

    Raises:
        LvmError: where no training article is long enough.
    """
    windows = corpus.windows("train", context).require("the filter to be fit on")
    mean = mean_row(corpus)
    gram, right = torch.zeros(context + 1, context + 1).double(), torch.zeros(context + 1).double()
    for batch in windows.batches(BATCH):
        features = torch.cat([batch.context.double(), mean.expand(len(batch.targets), 1, -1)], 1)  # (B, C + 1, D)
        gram += torch.einsum("bid,bjd->ij", features, features)
        right += torch.einsum("bid,bd->i", features, batch.target.double())
    # equal rows make the matrix singular; the smallest of the equally good answers is taken
    return torch.linalg.lstsq(gram, right[:, None], driver="gelsd").solution.squeeze(1), mean


def mean_row(corpus: Corpus) -> Tensor:
    """The mean of the unit rows of the training articles (D,) float64."""
    rows = (corpus.splits == 0)[corpus.article_of].nonzero().squeeze(1)
    total = torch.zeros(corpus.dim).double()
    for part in rows.split(BATCH):
        total += corpus.rows(part).double().sum(0)
    return total / len(rows)
