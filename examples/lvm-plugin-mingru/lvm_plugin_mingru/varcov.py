"""Variance and covariance of the predictions of a batch: they shall spread as the targets do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs.validators import ge
from lvmcore import component, option

if TYPE_CHECKING:
    from lvmcore import Step
    from torch import Tensor

EPSILON = 1e-4
"""Under the root of the variance, as in the paper: the slope of a root is infinite at 0."""


@component
class VarianceCovariance:
    """Mean over channels of ReLU(std of the targets − std of the predictions), and the squared covariances of channels.

    A model that answers with the average, which is what the squared error rewards where the future is uncertain, has
    predictions that differ too little. Unit predictions are scaled by √D, so that a channel has a variance of about 1.
    Source: Bardes et al. 2022, VICReg (arXiv 2105.04906), equations 1 – 4; there the spread that is asked for is 1.
    """

    covariance: float = option(
        default=0.04, help="weight of the covariances beside the variance; ν / μ", validator=ge(0)
    )

    def build(self) -> Callable[[Step], Tensor]:
        def varcov(step: Step) -> Tensor:
            dim = step.target.shape[1]
            own, wanted = centred(step.unit), centred(step.target)  # (B, D)
            count = max(1, len(own) - 1)  # a batch of one spreads nowhere: both terms are 0, and not undefined
            spread = (own.square().sum(0) / count + EPSILON).sqrt()  # (D,)
            variance = ((wanted.square().sum(0) / count + EPSILON).sqrt() - spread).relu().mean()
            shared = own.mT @ own / count  # (D, D)
            between = shared.square().sum() - shared.diagonal().square().sum()
            return variance + self.covariance * between / dim

        return varcov


def centred(rows: Tensor) -> Tensor:
    """Unit rows (B, D) scaled by √D, less their mean."""
    return (rows - rows.mean(0)) * rows.shape[1] ** 0.5
