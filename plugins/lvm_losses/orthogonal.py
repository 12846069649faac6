"""Lean away from an earlier row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from lvm_losses.directional import ROW
from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


@component
class Orthogonal:
    """Mean cos(p, earlier row)². Source: a later form of P6b."""

    against: Literal["prev", "last"] = option(default="prev", help="the earlier row: context row −2 or −1")

    def build(self) -> Callable[[Step], Tensor]:
        return lambda step: (step.unit * step.context[:, ROW[self.against]]).sum(-1).square().mean()
