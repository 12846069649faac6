"""Target whitening, as a loss: a cosine in which every direction counts alike, not only those that rows share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from attrs.validators import and_, ge, gt, lt
from torch import Tensor

from lvmcore import component, hookimpl, option

if TYPE_CHECKING:
    from lvmcore import Step


@component
class White:
    """Mean 1 − cos(W(p − m), W(target − m)): m is the mean of the targets so far, W Wᵀ the inverse of their covariance.

    The covariance is drawn towards the same in all directions by `shrink`, or its least directions, which are noise,
    would count for most. m and covariance are averages over the steps; what a step sees of them is not trained through.
    """

    shrink: float = option(
        default=0.1, help="share of the mean variance in each direction", validator=and_(gt(0), lt(1))
    )
    decay: float = option(default=0.9, help="of the averages over the steps", validator=and_(ge(0), lt(1)))

    def build(self) -> Whitened:
        return Whitened(self)


class Whitened:
    def __init__(self, options: White) -> None:
        self.options = options
        self.mean: Tensor | float = 0.0
        self.moment: Tensor | float = 0.0
        """Mean of the products of two channels (D, D)."""
        self.steps = 0

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "moment": self.moment, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean, self.moment, self.steps = state["mean"], state["moment"], state["steps"]

    def __call__(self, step: Step) -> Tensor:
        self._see(step.target)
        rows = torch.cat([step.unit, step.target]) - self._corrected(self.mean)
        white = torch.linalg.solve_triangular(self._factor(), rows.T, upper=False).T  # (2B, D)
        return 1 - torch.cosine_similarity(*white.chunk(2), dim=-1).mean()

    @torch.no_grad()
    def _see(self, targets: Tensor) -> None:
        decay = self.options.decay
        self.mean = decay * self.mean + (1 - decay) * targets.mean(0)
        self.moment = decay * self.moment + (1 - decay) * targets.T @ targets / targets.shape[0]
        self.steps += 1

    def _corrected(self, average: Any) -> Tensor:
        """An average over few steps began at 0."""
        return average / (1 - self.options.decay**self.steps)

    @torch.no_grad()
    def _factor(self) -> Tensor:
        """The triangular factor L of the covariance L Lᵀ, (D, D)."""
        mean, shrink = self._corrected(self.mean), self.options.shrink
        covariance = self._corrected(self.moment) - torch.outer(mean, mean)
        size = covariance.shape[0]
        even = torch.eye(size, dtype=covariance.dtype, device=covariance.device) * covariance.trace() / size
        return torch.linalg.cholesky((1 - shrink) * covariance + shrink * even)


@hookimpl
def lvm_losses():
    return [("white", White)]
