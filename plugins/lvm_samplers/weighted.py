"""Every window, but those whose text does not move forward more seldom."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from attrs.validators import and_, gt, le
from torch import Generator, Tensor

from lvmcore import Chosen, Indices, Windows, component, option, shuffled


@component
class Weighted:
    """Takes windows whose Δ = cos(last, target) − cos(last, row −2) is under a threshold with a lower weight.

    A weight of 0.25 means that a quarter of them, drawn anew each epoch, joins the others: over the epochs they count
    as a loss weight of 0.25 would make them count, whatever the losses, and cost a quarter of the time.
    Source: a later curriculum than P5's, after the comparison of 2025-11-02.
    """

    weight: float = option(default=0.25, help="weight of the windows under the threshold", validator=and_(gt(0), le(1)))
    threshold: float = option(default=0.03, help="Δ under which a window counts less")

    def build(self, windows: Windows) -> Callable[[int, Generator], Indices]:
        def forwardness(target: Tensor, context: Tensor) -> Tensor:
            return (context[:, -1] * (target - context[:, -2])).sum(-1)  # (B,)

        low = torch.cat([forwardness(b.target, b.context) for b in windows.batches(4096)]).cpu() < self.threshold
        lesser, others = low.nonzero()[:, 0], (~low).nonzero()[:, 0]
        count = math.ceil(self.weight * len(lesser))  # the same each epoch, so that a schedule knows its steps

        def order(epoch: int, generator: Generator) -> Indices:
            drawn = lesser[shuffled(len(lesser), generator)[:count]]
            taken = torch.cat([others, drawn])
            return Chosen(taken, shuffled(len(taken), generator))

        return order
