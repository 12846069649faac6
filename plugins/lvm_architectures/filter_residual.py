"""The filter's mixture of the rows, moved by a gate, plus a correction: what is known before, and the rest learnt."""

from __future__ import annotations

from typing import Literal, Self

import torch
import torch.nn.functional as F
from attrs.validators import and_, ge, lt
from torch import Tensor, nn

from lvm_architectures.transformer import Transformer, require_divisible
from lvmcore import Shape, Windows, component, fit_scalars, option

HEADS = 4
"""Of the correction that is a transformer."""


@component
class FilterResidual:
    """raw = Σ (w_i + g_i) · row_i + (w_6 + g_6) · mean + correction.

    w are the least-squares scalars of the predictor `filter` on the training windows, and `mean` the mean training
    row; both are measured before the first step and saved with the weights, and w is trained on. g is a small network
    of the cosines of all pairs of the rows and the mean. The correction sees the rows themselves. What g and the
    correction give begins as 0: the model begins as the filter, which most models end below.
    """

    base: Literal["filter", "last", "none"] = option(
        default="filter", help="where w begins: the filter's scalars, the last row, or 0"
    )
    gate: int = option(default=32, help="hidden units of g; 0: no g", validator=ge(0))
    correction: Literal["mlp", "transformer", "none"] = option(
        default="mlp",
        help="one hidden layer over all rows at once, the architecture `transformer` of two layers, or none",
    )
    hidden: int = option(default=512, help="width of the correction", validator=ge(2))
    drop_rows: float = option(default=0.1, help="dropout on what the mlp reads", validator=and_(ge(0), lt(1)))
    dropout: float = option(default=0.3, help="dropout within the correction", validator=and_(ge(0), lt(1)))

    def __attrs_post_init__(self) -> None:
        if self.correction == "transformer":
            require_divisible(self.hidden, HEADS)

    @classmethod
    def toy(cls) -> Self:
        return cls(gate=8, hidden=32)

    def build(self, shape: Shape) -> nn.Module:
        return Mixed(shape, self)


class Mixed(nn.Module):
    mean: Tensor
    start: Tensor
    first: Tensor
    second: Tensor

    def __init__(self, shape: Shape, options: FilterResidual) -> None:
        super().__init__()
        self.dim, self.base = shape.dim, options.base
        count = shape.context + 1
        self.register_buffer("start", torch.zeros(count))
        """w before it was trained (C + 1,)."""
        self.register_buffer("mean", torch.zeros(shape.dim))
        if options.base != "none":  # until windows were seen, a later row counts for more
            self.start[:-1] = torch.arange(1.0, count) / sum(range(count))
        if options.base == "last":
            self.start.copy_(F.one_hot(torch.tensor(count - 2), count))
        self.trained = nn.Parameter(torch.zeros(count))
        """What training adds to w: a part of its own, so that weight decay draws w to where it began, not to 0."""
        first, second = torch.triu_indices(count, count, 1)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.gate = _gate(len(first), options.gate, count) if options.gate else None
        self.correction = _correction(shape, options)

    def fit(self, windows: Windows) -> None:
        """Measure the mean training row, and the scalars where the model begins with them."""
        scalars, mean = fit_scalars(windows)
        self.mean.copy_(mean)
        if self.base == "filter":
            self.start.copy_(scalars)

    def forward(self, context: Tensor) -> Tensor:
        rows = context[..., : self.dim]
        rows = torch.cat([rows, self.mean.to(rows).expand(rows.shape[0], 1, -1)], 1)  # (B, C + 1, D)
        weights = self.start + self.trained  # (C + 1,)
        if self.gate is not None:
            unit = F.normalize(rows, dim=-1)
            cosines = (unit @ unit.transpose(1, 2))[:, self.first, self.second]  # (B, C(C + 1)/2)
            weights = weights + self.gate(cosines)  # (B, C + 1)
        mixed = (rows * weights[..., None].to(rows)).sum(1)  # (B, D)
        return mixed if self.correction is None else mixed + self.correction(context)


def _gate(pairs: int, hidden: int, count: int) -> nn.Module:
    """(B, pairs) → (B, C + 1), 0 at the start."""
    last = nn.Linear(hidden, count)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(pairs, hidden), nn.GELU(), last)


def _correction(shape: Shape, options: FilterResidual) -> nn.Module | None:
    """(B, C, D_in) → (B, D), 0 at the start."""
    if options.correction == "none":
        return None
    if options.correction == "transformer":
        made = Transformer(d_model=options.hidden, heads=HEADS, layers=2, dropout=options.dropout, norm="pre")
        module = made.build(shape)
        last = module.get_submodule("head.3")
    else:
        last = nn.Linear(options.hidden, shape.dim)
        module = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(options.drop_rows),
            nn.Linear(shape.context * shape.channels, options.hidden),
            nn.GELU(),
            nn.Dropout(options.dropout),
            last,
        )
    for held in last.parameters():
        nn.init.zeros_(held)
    return module
