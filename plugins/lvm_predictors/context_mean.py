"""The mean of the context rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from lvmcore import Corpus, component


@component
class ContextMean:
    """Returns the mean of the context rows, the tempting answer where context and target share a topic."""

    directionless: ClassVar[bool] = True

    def build(self, corpus: Corpus, context: int) -> Callable[[Tensor], Tensor]:
        return lambda rows: rows.mean(1)
