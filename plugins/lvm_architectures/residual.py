"""The last row plus a learned share of another architecture's answer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvmcore import Shape, component, option


@component
class Residual:
    """Wraps another: raw = u + α · inner(context), u the unit last row, α learned.

    Source: row 8 (P2) of the comparison of 2025-11-02, where it made copying easier.
    """

    alpha: float = option(default=0.5, help="α at the start")

    def build(self, shape: Shape, inner: nn.Module) -> nn.Module:
        return ResidualHead(inner, shape.dim, self.alpha)


class ResidualHead(nn.Module):
    def __init__(self, inner: nn.Module, dim: int, alpha: float) -> None:
        super().__init__()
        self.inner, self.dim = inner, dim
        self.alpha = nn.Parameter(torch.tensor(alpha))

    def forward(self, context: Tensor) -> Tensor:
        last = F.normalize(context[:, -1, : self.dim].float(), dim=-1)  # (B, D)
        return last + self.alpha * self.inner(context)
