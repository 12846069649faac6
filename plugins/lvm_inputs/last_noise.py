"""Blur the last row now and then, or put the row before it in its place, so that copying it does not pay."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from attrs.validators import and_, ge, le
from torch import Tensor, nn

from lvmcore import Shape, component, option


@component
class LastNoise:
    """Disturbs the last row with this probability, in training only: a share of them becomes row −2, the rest blurs.

    Blurred is the row plus σ · N(0, 1) in every channel, at unit length again: at D = 768 a σ of 0.03 leaves a cosine
    of about 0.77. Channels that an earlier input added stay. Source: P5.1.
    """

    probability: float = option(default=0.15, help="how often", validator=and_(ge(0), le(1)))
    sigma: float = option(default=0.03, help="deviation σ of the noise, a channel", validator=ge(0))
    swap: float = option(default=0.05, help="share of the disturbed that become row −2", validator=and_(ge(0), le(1)))

    def build(self, shape: Shape) -> nn.Module:
        return LastRowNoise(shape.dim, self.sigma, self.swap)


class LastRowNoise(nn.Module):
    def __init__(self, dim: int, sigma: float, swap: float) -> None:
        super().__init__()
        self.dim, self.sigma, self.swap = dim, sigma, swap

    def forward(self, context: Tensor, strength: Tensor) -> Tensor:
        if not self.training:
            return context
        earlier, last = context[:, -2, : self.dim], context[:, -1, : self.dim]  # (B, D)
        chance = torch.rand(2, len(context), 1, device=context.device)
        blurred = F.normalize(last + self.sigma * torch.randn_like(last), dim=-1)
        disturbed = torch.where(chance[0] < self.swap, earlier, blurred)
        last = torch.where(chance[1] < strength, disturbed, last)
        last = torch.cat([last, context[:, -1, self.dim :]], -1)
        return torch.cat([context[:, :-1], last[:, None]], 1)
