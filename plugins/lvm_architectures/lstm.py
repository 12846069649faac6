"""A stacked LSTM over the context rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Self

import torch
from attrs.validators import and_, ge, lt
from torch import Tensor, nn

from lvm_architectures.older import layers_in, renamed
from lvmcore import Adopted, Shape, component, option


@component
class Lstm:
    """Stacked LSTM layers over the rows; raw = Linear of the last layer's last state.

    Source: LSTM (Hochreiter & Schmidhuber 1997); among the older models of the comparison of 2025-11-02;
    5,120,768 parameters at D = 768.
    """

    hidden: int = option(default=512, help="width of each layer's state", validator=ge(1))
    layers: int = option(default=2, help="layers", validator=ge(1))
    dropout: float = option(default=0.2, help="dropout between the layers", validator=and_(ge(0), lt(1)))

    @classmethod
    def toy(cls) -> Self:
        return cls(hidden=32)

    @classmethod
    def adopt(cls, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Adopted | None:
        """A checkpoint of the older tools' LSTM."""
        own = renamed(weights, {r"lstm\.": "lstm.", r"output_proj\.": "head."})
        if own is None or "lstm.weight_ih_l0" not in own:
            return None
        layers = layers_in(own, r"lstm\.weight_ih_l")
        made = cls(hidden=own["lstm.weight_hh_l0"].shape[1], layers=layers, dropout=float(facts.get("dropout", 0.2)))
        return Adopted(made, own, channels=own["lstm.weight_ih_l0"].shape[1], dim=len(own["head.weight"]))

    def build(self, shape: Shape) -> nn.Module:
        return StackedLstm(shape, self)


class StackedLstm(nn.Module):
    def __init__(self, shape: Shape, options: Lstm) -> None:
        super().__init__()
        # a single layer has no gap to drop in, and torch would warn of it
        dropout = options.dropout if options.layers > 1 else 0.0
        self.lstm = nn.LSTM(shape.channels, options.hidden, options.layers, batch_first=True, dropout=dropout)
        self.head = nn.Linear(options.hidden, shape.dim)
        with torch.no_grad():  # torch expects channels of variance 1; those of a unit row have 1/D
            self.lstm.get_parameter("weight_ih_l0").mul_(shape.dim**0.5)

    def forward(self, context: Tensor) -> Tensor:
        return self.head(self._states(context)[:, -1])  # (B, D)

    def _states(self, context: Tensor) -> Tensor:
        """The last layer's state at every row (B, C, hidden)."""
        if torch.is_autocast_enabled("cpu") and not _autocasts():
            with torch.autocast("cpu", enabled=False):
                return self.lstm(context.float())[0]
        return self.lstm(context)[0]


@cache
def _autocasts() -> bool:
    """Whether torch's LSTM runs in bf16 on this processor.

    It leaves autocast's choice to oneDNN, which has no such LSTM for processors without AVX-512, and fails there.
    """
    smallest = nn.LSTM(1, 1, device="meta").to_empty(device="cpu")  # draws no random numbers
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            smallest(torch.zeros(1, 1, 1))
    except RuntimeError:
        return False
    return True
