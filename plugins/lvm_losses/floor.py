"""A floor under the cosine to the target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from attrs.validators import and_, ge, le

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


@component
class Floor:
    """Mean ReLU(τ − cos(p, target))²: a guard must not be met by leaving both rows behind. Source: P6b."""

    at_target: ClassVar[str] = "zero"

    tau: float = option(default=0.10, help="the floor τ", validator=and_(ge(-1), le(1)))

    def build(self) -> Callable[[Step], Tensor]:
        return lambda step: (self.tau - step.cos_next).relu().square().mean()
