"""Scalars by least squares: the fixed mixture of its context that is nearest to the row that follows."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.windows import Windows
from lvmcore.device import double

BATCH = 4096


def fit_scalars(windows: Windows, limit: int = 200_000) -> tuple[Tensor, Tensor]:
    """The scalars (C + 1,) of Σ aᵢ · row i + b · mean that minimise the squared error to the targets, the oldest
    row's first and b last; and the mean (D,) of the rows of the training articles. Both float64, on the processor.

    Args:
        limit: at most so many windows and rows, evenly spaced.

    Raises:
        LvmError: there is no window.
    """
    windows = windows.require("scalars to be fit on")
    windows = attrs.evolve(windows, targets=windows.targets[:: -(-len(windows) // limit)])
    context = windows.context
    mean = mean_row(windows.corpus, limit)
    gram, right = torch.zeros(context + 1, context + 1).double(), torch.zeros(context + 1).double()
    for batch in windows.batches(BATCH):
        rows, target = double(batch.context), double(batch.target)
        features = torch.cat([rows, mean.to(rows).expand(len(rows), 1, -1)], 1)  # (B, C + 1, D)
        gram += torch.einsum("bid,bjd->ij", features, features).cpu()
        right += torch.einsum("bid,bd->i", features, target).cpu()
    # equal rows make the matrix singular; the smallest of the equally good answers is taken
    return torch.linalg.lstsq(gram, right[:, None], driver="gelsd").solution.squeeze(1), mean


def mean_row(corpus: Corpus, limit: int) -> Tensor:
    """The mean of the unit rows of the training articles (D,) float64, on the processor."""
    every = corpus.rows_of("train")
    rows = every[:: -(-len(every) // limit)]
    total = torch.zeros(corpus.dim).double()
    for part in rows.split(BATCH):
        total += double(corpus.rows(part)).sum(0).cpu()
    return total / len(rows)
