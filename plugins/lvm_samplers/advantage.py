"""Only the windows whose target follows the last row more than any earlier one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator

from lvmcore import Chosen, Indices, LvmError, Windows, component, option, shuffled


@component
class Advantage:
    """Keeps the windows with least ≤ cos(target, last row) − max cos(target, earlier rows) ≤ most.

    Source: a later curriculum than P5's, after the comparison of 2025-11-02.
    """

    least: float = option(default=0.0, help="lower threshold")
    most: float | None = option(default=None, help="upper threshold; none: any")

    def __attrs_post_init__(self) -> None:
        if self.most is not None and self.most < self.least:
            raise ValueError(f"most={self.most} lies below least={self.least}")

    def build(self, windows: Windows) -> Callable[[int, Generator], Indices]:
        scores = []
        for batch in windows.batches(4096):
            likeness = (batch.context * batch.target[:, None]).sum(-1)  # (B, C)
            scores.append(likeness[:, -1] - likeness[:, :-1].amax(1))
        score = torch.cat(scores).cpu()
        most = torch.inf if self.most is None else self.most
        kept = ((score >= self.least) & (score <= most)).nonzero()[:, 0]
        if not len(kept):
            raise LvmError(
                f"no window has an advantage within the thresholds; they lie in {score.min():.3f} … {score.max():.3f}",
                where=f"sampler 'advantage:{self.least}'",
                expected="thresholds that some window meets",
            )
        return lambda epoch, generator: Chosen(kept, shuffled(len(kept), generator))
