"""Anti-copy guard: the target must be nearer than every context row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


@component
class AntiCopy:
    """Mean over the context rows i of ReLU(margin − (cos(p, target) − cos(p, row i))).

    Source: rows 5 and 6 (Directional Fix, V3) of the comparison of 2025-11-02.
    """

    margin: float = option(default=0.02, help="by how much the target must be nearer")

    def build(self) -> Callable[[Step], Tensor]:
        def anticopy(step: Step) -> Tensor:
            copying = (step.context * step.unit[:, None]).sum(-1)  # (B, C)
            return (self.margin - (step.cos_next[:, None] - copying)).relu().mean()

        return anticopy
