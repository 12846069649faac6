"""Future ranking: the target must be nearer than the rows after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs.validators import ge

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


@component
class Future:
    """Σ over the rows x after the target of mean ReLU(margin − (cos(p, target) − cos(p, x))).

    Each mean is over the windows whose article goes on so far; a row that no window has adds nothing.
    Source: rows 8 – 10 (P2, P3, P4) of the comparison of 2025-11-02, where it was a placeholder that never ran.
    """

    margin: float = option(default=0.008, help="by how much the target must be nearer")
    rows: int = option(default=2, help="how many rows after the target", validator=ge(1))

    def build(self) -> Callable[[Step], Tensor]:
        def future(step: Step) -> Tensor:
            later, there = step.future(self.rows)  # (B, H, D), (B, H)
            gap = step.cos_next[:, None] - (later * step.unit[:, None]).sum(-1)  # (B, H)
            lack = (self.margin - gap).relu() * there
            return (lack.sum(0) / there.sum(0).clamp_min(1)).sum()

        return future
