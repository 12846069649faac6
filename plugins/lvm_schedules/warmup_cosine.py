"""A linear warm-up, then a cosine."""

from __future__ import annotations

from attrs.validators import ge
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from lvmcore import component, option


@component
class WarmupCosine:
    """Rises linearly for some epochs, then falls along a cosine to a floor at the last step.

    Source: row 2 (Transformer Optimized) of the comparison of 2025-11-02, one epoch and a floor of 1e-6.
    """

    epochs: float = option(default=1.0, help="length of the warm-up", validator=ge(0))
    floor: float = option(default=1e-6, help="last learning rate", validator=ge(0))

    def build(self, optimizer: Optimizer, steps: int, steps_per_epoch: int) -> LRScheduler:
        warmup = min(round(self.epochs * steps_per_epoch), steps - 1)
        cosine = CosineAnnealingLR(optimizer, T_max=max(steps - warmup, 1), eta_min=self.floor)
        if warmup < 1:
            return cosine
        rise = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        return SequentialLR(optimizer, [rise, cosine], milestones=[warmup])
