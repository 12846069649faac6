"""Residual GRU layers over the context rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs.validators import and_, ge, lt
from torch import Tensor, nn

from lvm_architectures.older import layers_in, renamed
from lvmcore import Adopted, Shape, component, option


@component
class Gru:
    """Linear D_in → d_model, then layers x ← LayerNorm(x + GRU(x)); raw = Linear of the last position.

    Source: GRU (Cho et al. 2014); among the older models of the comparison of 2025-11-02; 7,095,552 parameters at
    D = 768.
    """

    d_model: int = option(default=512, help="width", validator=ge(1))
    layers: int = option(default=4, help="layers", validator=ge(1))
    dropout: float = option(default=0.0, help="dropout on what a GRU adds", validator=and_(ge(0), lt(1)))

    @classmethod
    def toy(cls) -> Self:
        return cls(d_model=32, layers=1)

    @classmethod
    def adopt(cls, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Adopted | None:
        """A checkpoint of the older tools' GRU."""
        names = {r"input_proj\.": "project.", r"output_proj\.": "head."}
        names |= {r"blocks\.(\d+)\.gru\.": r"layers.\1.", r"blocks\.(\d+)\.norm\.": r"norms.\1."}
        own = renamed(weights, names)
        if own is None:
            return None
        width, channels = own["project.weight"].shape
        made = cls(d_model=width, layers=layers_in(own, r"layers\."), dropout=float(facts.get("dropout", 0.0)))
        return Adopted(made, own, channels=channels, dim=len(own["head.weight"]))

    def build(self, shape: Shape) -> nn.Module:
        return ResidualGru(shape, self)


class ResidualGru(nn.Module):
    def __init__(self, shape: Shape, options: Gru) -> None:
        super().__init__()
        width = options.d_model
        self.project = nn.Linear(shape.channels, width)
        self.layers = nn.ModuleList(nn.GRU(width, width, batch_first=True) for _ in range(options.layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(options.layers))
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(width, shape.dim)
        # a row of norm 1 enters with variance 1, and a prediction leaves with norm 1
        nn.init.normal_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        nn.init.normal_(self.head.weight, std=(width * shape.dim) ** -0.5)
        nn.init.zeros_(self.head.bias)

    def forward(self, context: Tensor) -> Tensor:
        hidden = self.project(context)  # (B, C, d)
        for gru, norm in zip(self.layers, self.norms, strict=True):
            hidden = norm(hidden + self.dropout(gru(hidden)[0]))
        return self.head(hidden[:, -1])  # (B, D)
