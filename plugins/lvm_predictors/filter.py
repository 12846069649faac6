"""Six least-squares scalars: the best that a fixed mixture of the rows can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from attrs.validators import ge
from torch import Tensor

from lvmcore import Corpus, component, fit_scalars, option


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
        weights, mean = fit_scalars(corpus.windows("train", context), self.windows)

        def average(rows: Tensor) -> Tensor:
            own, drift = weights[:-1, None].to(rows), (weights[-1] * mean).to(rows)
            return (rows * own).sum(1) + drift

        return average
