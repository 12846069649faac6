"""The angle between prediction and target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from lvmcore import component

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


@component
class Cos:
    """Mean of 1 − cos(p, target): what is evaluated, whatever the prediction's length."""

    at_target: ClassVar[str] = "zero"

    def build(self) -> Callable[[Step], Tensor]:
        def cos(step: Step) -> Tensor:
            return (1 - step.cos_next).mean()

        return cos
