"""A channel that says where in the context a row stands."""

from __future__ import annotations

import torch
from attrs.validators import ge
from torch import Tensor, nn

from lvmcore import Shape, component, option


@component
class Positional:
    """Appends the channel linspace(0, 1, C) · scale, so that D_in = D + 1.

    A ramp of the scale is kept with the weights: evaluation uses the number of training. Source: P5.
    """

    scale: float = option(default=0.03, help="value at the last row", validator=ge(0))

    def build(self, shape: Shape) -> nn.Module:
        return PositionalChannel(shape.context)


class PositionalChannel(nn.Module):
    positions: Tensor

    def __init__(self, context: int) -> None:
        super().__init__()
        self.register_buffer("positions", torch.linspace(0, 1, context)[:, None], persistent=False)

    def forward(self, context: Tensor, strength: Tensor) -> Tensor:
        channel = (self.positions * strength).expand(context.shape[0], -1, 1)  # (B, C, 1)
        return torch.cat([context, channel.to(context.dtype)], -1)  # (B, C, D_in + 1)
