"""Adam, and Adam with the weight decay apart from the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs.validators import and_, ge, gt, lt

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


@component
class Adam:
    """Adam whose weight decay is a part of the gradient. Source: Kingma & Ba 2015."""

    beta1: float = option(default=0.9, help="decay of the first moment", validator=and_(ge(0), lt(1)))
    beta2: float = option(default=0.999, help="decay of the second moment", validator=and_(ge(0), lt(1)))
    eps: float = option(default=1e-8, help="added to the denominator", validator=gt(0))

    def build(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> Optimizer:
        import torch

        return torch.optim.Adam(parameters, lr, (self.beta1, self.beta2), self.eps, weight_decay, fused=True)


@component
class AdamW(Adam):
    """Adam whose weight decay acts on the weights themselves. Source: Loshchilov & Hutter 2019."""

    def build(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> Optimizer:
        import torch

        return torch.optim.AdamW(parameters, lr, (self.beta1, self.beta2), self.eps, weight_decay, fused=True)
