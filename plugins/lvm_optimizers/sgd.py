"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs.validators import and_, ge, lt

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


@component
class Sgd:
    """Stochastic gradient descent with momentum; it wants a higher learning rate than AdamW."""

    momentum: float = option(default=0.9, help="momentum", validator=and_(ge(0), lt(1)))
    nesterov: bool = option(default=False, help="look ahead by the momentum (Nesterov 1983)")

    def __attrs_post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs a momentum above 0")

    def build(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> Optimizer:
        import torch

        return torch.optim.SGD(
            parameters, lr=lr, momentum=self.momentum, nesterov=self.nesterov, weight_decay=weight_decay
        )
