"""The true target: what a perfect predictor would score."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from lvmcore import Corpus, component


@component
class Oracle:
    """Returns the true target. It has no answer to an ablated context, so test C is not defined for it."""

    role: ClassVar[str] = "oracle"

    def build(self, corpus: Corpus, context: int) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda rows, target: target
