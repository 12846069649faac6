"""Only the windows whose target is least like the last context row."""

from __future__ import annotations

from collections.abc import Callable

import torch
from attrs.validators import and_, gt, le
from torch import Generator

from lvmcore import Chosen, Indices, Windows, component, option, shuffled


@component
class Forward:
    """Keeps the fraction of windows of highest forward-distinctness Δ = 1 − cos(target, last row).

    Source: the curriculum of P5, whose top 30 % lay at Δ ≥ 0.6455.
    """

    fraction: float = option(default=0.3, help="share of the windows to keep", validator=and_(gt(0), le(1)))

    def build(self, windows: Windows) -> Callable[[int, Generator], Indices]:
        distinct = torch.cat([1 - (b.target * b.context[:, -1]).sum(-1) for b in windows.batches(4096)]).cpu()
        kept = distinct.topk(max(1, round(self.fraction * len(windows)))).indices.sort().values
        return lambda epoch, generator: Chosen(kept, shuffled(len(kept), generator))
