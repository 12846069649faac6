"""A faint directional guard against the last row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs.validators import gt

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


@component
class MicroDirectional:
    """Mean softplus(γ · (cos(p, last row) − cos(p, target) + margin)). Source: P5.1."""

    margin: float = option(default=0.02, help="by how much the target must be nearer than the last row")
    gamma: float = option(default=5.0, help="sharpness", validator=gt(0))

    def build(self) -> Callable[[Step], Tensor]:
        from torch.nn.functional import softplus

        def directional(step: Step) -> Tensor:
            cos_last = (step.unit * step.context[:, -1]).sum(-1)  # (B,)
            return softplus(self.gamma * (cos_last - step.cos_next + self.margin)).mean()

        return directional
