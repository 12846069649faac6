"""Another architecture's answer, held near the context's mean."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from attrs.validators import and_, ge, le
from torch import Tensor, nn

from lvmcore import Shape, component, option


@component
class Anchored:
    """Wraps another: raw = λ · unit(inner(context)) + (1 − λ) · unit(mean of the rows), λ learned within bounds.

    λ = low + (high − low) · sigmoid(θ), so that it never reaches a bound. Source: P7, after the comparison of
    2025-11-02.
    """

    weight: float = option(default=0.8, help="λ at the start, between low and high")
    low: float = option(default=0.6, help="λ stays above", validator=and_(ge(0), le(1)))
    high: float = option(default=0.9, help="λ stays below", validator=and_(ge(0), le(1)))

    def __attrs_post_init__(self) -> None:
        if not self.low < self.weight < self.high:
            raise ValueError(f"weight={self.weight} must lie between low={self.low} and high={self.high}")

    def build(self, shape: Shape, inner: nn.Module) -> nn.Module:
        return AnchoredHead(inner, shape.dim, self)


class AnchoredHead(nn.Module):
    def __init__(self, inner: nn.Module, dim: int, options: Anchored) -> None:
        super().__init__()
        self.inner, self.dim, self.low, self.high = inner, dim, options.low, options.high
        share = (options.weight - self.low) / (self.high - self.low)
        self.theta = nn.Parameter(torch.tensor(math.log(share / (1 - share))))

    @property
    def weight(self) -> Tensor:
        """λ, a scalar in (low, high)."""
        return self.low + (self.high - self.low) * self.theta.sigmoid()

    def forward(self, context: Tensor) -> Tensor:
        anchor = F.normalize(context[..., : self.dim].mean(1), dim=-1)  # (B, D)
        return self.weight * F.normalize(self.inner(context), dim=-1) + (1 - self.weight) * anchor
