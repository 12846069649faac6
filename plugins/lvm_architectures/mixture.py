"""A weighted mean of the context rows, and nothing else."""

from __future__ import annotations

from typing import Self

import torch
from attrs.validators import and_, ge, lt
from torch import Tensor, nn

from lvm_architectures.transformer import require_divisible, sinusoids
from lvmcore import Shape, component, option


@component
class Mixture:
    """raw = Σ w_i · row_i, where w is the softmax over the C rows of what an encoder says of each.

    The prediction cannot leave the span of its context. Linear D_in → d_model, sinusoidal positions, post-norm
    encoder layers in which every row sees every other, Linear → one score a row.
    Source: P8, after the comparison of 2025-11-02.
    """

    d_model: int = option(default=512, help="width", validator=ge(2))
    heads: int = option(default=8, help="attention heads; they divide d_model", validator=ge(1))
    layers: int = option(default=4, help="encoder layers", validator=ge(1))
    dropout: float = option(default=0.1, help="dropout", validator=and_(ge(0), lt(1)))

    def __attrs_post_init__(self) -> None:
        require_divisible(self.d_model, self.heads)

    @classmethod
    def toy(cls) -> Self:
        return cls(d_model=32, heads=2, layers=1)

    def build(self, shape: Shape) -> nn.Module:
        return RowMixture(shape, self)


class RowMixture(nn.Module):
    positions: Tensor

    def __init__(self, shape: Shape, options: Mixture) -> None:
        super().__init__()
        self.dim, width = shape.dim, options.d_model
        self.project = nn.Linear(shape.channels, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, options.heads, 4 * width, options.dropout, batch_first=True)
            for _ in range(options.layers)
        )
        self.score = nn.Linear(width, 1, bias=False)  # a softmax does not see a bias
        self.register_buffer("positions", sinusoids(shape.context, width), persistent=False)
        # a row of norm 1 enters with variance 1, as strong as the positions added to it
        nn.init.normal_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def weights(self, context: Tensor) -> Tensor:
        """(B, C): the share of each row, summing to 1."""
        hidden = self.project(context) + self.positions  # (B, C, d)
        for layer in self.layers:
            hidden = layer(hidden)
        return self.score(hidden).squeeze(-1).softmax(-1)

    def forward(self, context: Tensor) -> Tensor:
        rows = context[..., : self.dim]  # (B, C, D)
        return torch.einsum("bc,bcd->bd", self.weights(context).to(rows.dtype), rows)
