"""Attention mixture network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from attrs.validators import ge
from torch import Tensor, nn

from lvm_architectures.older import renamed
from lvmcore import Adopted, Shape, component, option


@component
class Amn:
    """The context's mean, corrected by what attention over its rows finds. Blind to their order.

    m = mean of the rows; weights = softmax(q(m) · k(row) / √d); v = Σ weights · row; raw = m + MLP([m, v]).
    Source: rows 1 and 3 (AMN) of the comparison of 2025-11-02; 1,510,912 parameters at D = 768.
    """

    order_blind: ClassVar[bool] = True

    d_model: int = option(default=256, help="width of keys and query, and of the last hidden layer", validator=ge(1))
    hidden: int = option(default=512, help="width of the first hidden layer", validator=ge(1))

    @classmethod
    def toy(cls) -> Self:
        return cls(d_model=16, hidden=32)

    @classmethod
    def adopt(cls, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Adopted | None:
        """A checkpoint of the older tools' AMN, whose last hidden layer is as wide as its keys."""
        names = {r"context_encoder\.": "key.", r"query_encoder\.": "query.", r"residual_net\.": "mlp."}
        own = renamed(weights, names)
        if own is None:
            return None
        width, channels = own["key.weight"].shape
        made = cls(d_model=width, hidden=len(own["mlp.0.weight"]))
        return Adopted(made, own, channels=channels, dim=len(own["mlp.6.weight"]))

    def build(self, shape: Shape) -> nn.Module:
        return AttentionMixture(shape, self.d_model, self.hidden)


class AttentionMixture(nn.Module):
    def __init__(self, shape: Shape, d_model: int, hidden: int) -> None:
        super().__init__()
        self.dim = shape.dim
        self.key = nn.Linear(shape.channels, d_model)
        self.query = nn.Linear(shape.channels, d_model)
        self.mlp = nn.Sequential(
            nn.Linear(2 * shape.dim, hidden),
            nn.GELU(),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, d_model),
            nn.GELU(),
            nn.LayerNorm(d_model),
            nn.Linear(d_model, shape.dim),
        )
        # the correction starts at about norm 1, as long as the mean that it corrects, and not twenty times that
        nn.init.normal_(self.mlp[-1].weight, std=(d_model * shape.dim) ** -0.5)  # pyright: ignore
        nn.init.zeros_(self.mlp[-1].bias)  # pyright: ignore

    def forward(self, context: Tensor) -> Tensor:
        rows = context[..., : self.dim]  # (B, C, D)
        mean = rows.mean(1)  # (B, D)
        query = self.query(context.mean(1))  # (B, d)
        scores = (self.key(context) @ query[:, :, None]).squeeze(-1)  # (B, C)
        weights = (scores * query.shape[-1] ** -0.5).softmax(-1)
        mixed = (weights[:, None] @ rows.to(weights.dtype)).squeeze(1)  # (B, D)
        return mean + self.mlp(torch.cat([mean, mixed], -1))
