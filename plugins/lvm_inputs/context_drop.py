"""Hide the last row now and then, so that copying it does not pay."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from attrs.validators import and_, ge, le
from torch import Tensor, nn

from lvmcore import Shape, component, option


@component
class ContextDrop:
    """Replaces the last row by a random unit vector with this probability, in training only. Source: P3."""

    probability: float = option(default=0.05, help="how often", validator=and_(ge(0), le(1)))

    def build(self, shape: Shape) -> nn.Module:
        return LastRowDrop(shape.dim)


class LastRowDrop(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, context: Tensor, strength: Tensor) -> Tensor:
        if not self.training:
            return context
        noise = F.normalize(torch.randn_like(context[:, -1, : self.dim]), dim=-1)  # (B, D)
        # channels that an earlier input has added say where the row stands, not what it holds: they stay
        noise = torch.cat([noise, context[:, -1, self.dim :]], -1)
        dropped = torch.rand(len(context), 1, device=context.device) < strength
        last = torch.where(dropped, noise, context[:, -1])
        return torch.cat([context[:, :-1], last[:, None]], 1)
