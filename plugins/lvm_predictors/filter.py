"""Six least-squares scalars: the best that a fixed mixture of the rows can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import attrs
import torch
from attrs.validators import ge
from torch import Tensor

from lvmcore import Corpus, component, device, option

BATCH = 4096


@component
class Filter:
    """Σ aᵢ · row i + b · mean vector of the training rows; the scalars minimise the squared error on train.

    The last scalar takes out the corpus's own drift: without it a cheat can gain 0.02 over the filter.
    """

    role: ClassVar[str] = "baseline"
    fit: ClassVar[bool] = True
    directionless: ClassVar[bool] = True

    windows: int = option(default=200_000, help="at most so many training windows, evenly spaced", validator=ge(1))

    def build(self, corpus: Corpus, context: int) -> Callable[[Tensor], Tensor]:
        weights, mean = fit(corpus, context, self.windows)

        def average(rows: Tensor) -> Tensor:
            own, drift = weights[:-1, None].to(rows), (weights[-1] * mean).to(rows)
            return (rows * own).sum(1) + drift

        return average


def fit(corpus: Corpus, context: int, limit: int) -> tuple[Tensor, Tensor]:
    """The C + 1 scalars, and the mean vector (D,) of the training rows; both float64.

    Args:
        limit: at most so many windows and rows, evenly spaced.

    Raises:
        LvmError: where no training article is long enough.
    """
    windows = corpus.windows("train", context).require("the filter to be fit on")
    windows = attrs.evolve(windows, targets=windows.targets[:: -(-len(windows) // limit)])
    mean = mean_row(corpus, limit)
    gram, right = torch.zeros(context + 1, context + 1).double(), torch.zeros(context + 1).double()
    for batch in windows.batches(BATCH):
        rows, target = device.double(batch.context), device.double(batch.target)
        features = torch.cat([rows, mean.to(rows).expand(len(rows), 1, -1)], 1)  # (B, C + 1, D)
        gram += torch.einsum("bid,bjd->ij", features, features).cpu()
        right += torch.einsum("bid,bd->i", features, target).cpu()
    # equal rows make the matrix singular; the smallest of the equally good answers is taken
    return torch.linalg.lstsq(gram, right[:, None], driver="gelsd").solution.squeeze(1), mean


def mean_row(corpus: Corpus, limit: int) -> Tensor:
    """The mean of the unit rows of the training articles (D,) float64."""
    every = corpus.rows_of("train")
    rows = every[:: -(-len(every) // limit)]
    total = torch.zeros(corpus.dim).double()
    for part in rows.split(BATCH):
        total += device.double(corpus.rows(part)).sum(0).cpu()
    return total / len(rows)
