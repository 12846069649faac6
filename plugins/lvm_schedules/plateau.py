"""Lower the learning rate when the validation loss stalls."""

from __future__ import annotations

from attrs.validators import and_, ge, gt, lt
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lvmcore import component, option


@component
class Plateau:
    """Multiplies the learning rate by a factor when the validation loss stalls for some epochs."""

    factor: float = option(default=0.5, help="factor on the learning rate", validator=and_(gt(0), lt(1)))
    patience: int = option(default=3, help="epochs without an improvement before it falls", validator=ge(0))

    def build(self, optimizer: Optimizer, steps: int, steps_per_epoch: int) -> LRScheduler:
        return ReduceLROnPlateau(optimizer, factor=self.factor, patience=self.patience)
