"""What a loss sees."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import attrs
import torch.nn.functional as F
from torch import Tensor

from lvmcore.data.windows import Batch


@attrs.define(eq=False, slots=False, kw_only=True)
class Step:
    """One training step: the batch, the prediction, and the terms computed so far.

    The context is the clean one, before input encodings act.
    """

    batch: Batch
    raw: Tensor
    """(B, D) float32: the prediction as the model gave it."""
    epoch: int
    model: Callable[[Tensor], Tensor]
    terms: dict[str, Tensor] = attrs.field(factory=dict)
    """The raw values of the terms before this one, by label."""

    @property
    def context(self) -> Tensor:
        """(B, C, D) unit rows."""
        return self.batch.context

    @property
    def target(self) -> Tensor:
        """(B, D) unit rows."""
        return self.batch.target

    @cached_property
    def unit(self) -> Tensor:
        """(B, D): the prediction at unit length."""
        return F.normalize(self.raw, dim=-1)

    @cached_property
    def cos_next(self) -> Tensor:
        """(B,): cosine of the prediction and the target."""
        return (self.unit * self.target).sum(-1)

    def future(self, horizon: int) -> tuple[Tensor, Tensor]:
        """The rows after the target (B, H, D) and where they exist (B, H); articles end."""
        return self.batch.future(horizon)

    def article_rows(self, count: int) -> tuple[Tensor, Tensor]:
        """Random rows of each window's article outside of it (B, K, D) and where there are any (B, K)."""
        return self.batch.article_rows(count)

    def candidates(self) -> tuple[Tensor, Tensor]:
        """All rows of the batch's articles (N, D), and which lie in each window's own, outside of the window (B, N)."""
        return self.batch.candidates()

    def predict(self, context: Tensor) -> Tensor:
        """The model's raw prediction (B, D) for other contexts (B, C, D), with gradient."""
        return self.model(context)
