"""Every window once an epoch, article by article."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator

from lvmcore import Indices, Ranges, Windows, component


@component
class Articles:
    """Articles in random order, the windows of each in a row: those of one step share their candidates.

    For losses that compare a prediction with all rows of its article, such as `rank`; with some 500 windows a step,
    a step sees whole articles but for the first and the last. A step of another size cuts where it cuts.
    """

    def build(self, windows: Windows) -> Callable[[int, Generator], Indices]:
        counts = windows.articles.unique_consecutive(return_counts=True)[1]
        begins = counts.cumsum(0) - counts

        def order(epoch: int, generator: Generator) -> Indices:
            drawn = torch.randperm(len(counts), generator=generator)
            return Ranges(begins[drawn], counts[drawn])

        return order
