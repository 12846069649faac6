"""Keep the raw prediction near unit length."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from lvmcore import component

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


@component
class Norm:
    """Mean (‖raw‖ − 1)². Source: P6b."""

    at_target: ClassVar[str] = "zero"

    def build(self) -> Callable[[Step], Tensor]:
        return lambda step: (step.raw.norm(dim=-1) - 1).square().mean()
