"""Directional guard: the target must be nearer than an earlier row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step

ROW = {"prev": -2, "last": -1}


@component
class Directional:
    """Mean ReLU(margin − (cos(p, target) − cos(p, earlier row))).

    Against `prev`, context row −2, as in the comparison of 2025-11-02 (V3, P3, P4), copying the last row is
    never punished; `against=last` punishes it.
    """

    margin: float = option(default=0.05, help="by how much the target must be nearer")
    against: Literal["prev", "last"] = option(default="prev", help="the earlier row: context row −2 or −1")
    adaptive: bool = option(
        default=False,
        help="weigh by 1 + mean sigmoid((cos(last, target) − 0.60) / 0.05): more where copying pays",
    )

    def build(self) -> Callable[[Step], Tensor]:
        def directional(step: Step) -> Tensor:
            earlier = step.context[:, ROW[self.against]]  # (B, D)
            gap = step.cos_next - (step.unit * earlier).sum(-1)  # (B,)
            loss = (self.margin - gap).relu().mean()
            if self.adaptive:
                copying = (step.context[:, -1] * step.target).sum(-1)
                loss = loss * (1 + ((copying - 0.60) / 0.05).sigmoid().mean())
            return loss

        return directional
