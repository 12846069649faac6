"""The spread of a batch of predictions: as the targets', or wide enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from lvmcore import component

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


def deviation(rows: Tensor) -> Tensor:
    """Standard deviation of each channel over the batch, (B, D) → (D,), over B and not B − 1.

    By way of a norm, whose gradient at 0 torch takes as 0, where a square root's would be infinite.
    """
    return (rows - rows.mean(0)).norm(dim=0) / len(rows) ** 0.5


@component
class Moment:
    """Mean over the channels of (mean p − mean target)² + (std p − std target)², moments over the batch.

    Source: the training code that the comparison of 2025-11-02 describes.
    """

    at_target: ClassVar[str] = "zero"

    def build(self) -> Callable[[Step], Tensor]:
        def moment(step: Step) -> Tensor:
            of_mean = step.unit.mean(0) - step.target.mean(0)  # (D,)
            of_deviation = deviation(step.unit) - deviation(step.target)
            return (of_mean.square() + of_deviation.square()).mean()

        return moment


@component
class Variance:
    """Mean over the channels of ReLU(1/√D − std p), the deviation over the batch.

    Source: VICReg (Bardes et al. 2022), which asks for 1; 1/√D is the most that unit vectors can reach.
    """

    def build(self) -> Callable[[Step], Tensor]:
        def variance(step: Step) -> Tensor:
            return (step.unit.shape[-1] ** -0.5 - deviation(step.unit)).relu().mean()

        return variance
