"""The same learning rate throughout."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler

from lvmcore import component


@component
class Constant:
    """The same learning rate throughout."""

    def build(self, optimizer: Optimizer, steps: int, steps_per_epoch: int) -> LRScheduler:
        return ConstantLR(optimizer, factor=1.0, total_iters=0)
