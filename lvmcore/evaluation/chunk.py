"""Some windows under evaluation, with the predictions that several tests share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor

from lvmcore.data.windows import Batch
from lvmcore.evaluation.content import ContentKeys
from lvmcore.evaluation.rows import cosine

Predict = Callable[[Tensor, Tensor], Tensor]
"""(contexts (B, C, D), targets (B, D)) → predictions (B, D). Only the oracle looks at the targets."""


@attrs.define(eq=False, slots=False)
class Chunk:
    """A chunk of consecutive windows of one split. Every prediction is made once and shared."""

    batch: Batch
    predictor: Predict
    keys: ContentKeys
    sees_target: bool = False
    """True for the oracle: it has no answer to an ablated context."""
    filter: Predict | None = None
    """The six-scalar filter that gain and direction are measured against; None where it could not be fit."""

    def __attrs_post_init__(self) -> None:
        self.broken = torch.zeros(len(self.batch.targets), device=self.batch.corpus.device)
        """(B,): how many predictions so far, of any context, were no direction: not finite, or zero."""

    def predict(self, context: Tensor, target: Tensor | None = None) -> Tensor:
        """Unit predictions (B, D) float32; one that is not finite becomes 0, whose cosine with everything is 0.

        The predictor is given contiguous contexts, as in training.
        """
        raw = self.predictor(context.contiguous(), self.batch.target if target is None else target).float()
        scaled = raw / raw.abs().amax(-1, keepdim=True)  # so that no norm overflows; 0 and infinity become NaN
        unit = scaled / scaled.norm(dim=-1, keepdim=True)
        broken = unit.isnan().any(-1, keepdim=True)
        if not broken.any():
            return unit
        self.broken += broken.squeeze(-1)
        return torch.where(broken, 0.0, unit)

    @cached_property
    def prediction(self) -> Tensor:
        """The base prediction (B, D), shared by all tests."""
        return self.predict(self.batch.context)

    @cached_property
    def backwards(self) -> Tensor:
        """The context read backwards (B, C, D)."""
        return self.batch.context.index_select(
            1, torch.arange(self.batch.length - 1, -1, -1, device=self.batch.corpus.device)
        )

    @cached_property
    def reversed(self) -> Tensor:
        """The prediction from the context read backwards (B, D), shared by C and direction."""
        return self.predict(self.backwards)

    @cached_property
    def gain(self) -> Tensor:
        """(B,): cos(p, x_t) less the filter's; NaN without a filter."""
        if self.filter is None:
            return torch.full_like(self.cos_next, torch.nan)
        return self.cos_next - cosine(self.filtered(self.batch.context), self.batch.target)

    def filtered(self, context: Tensor) -> Tensor:
        """The filter's unit prediction (B, D)."""
        assert self.filter is not None
        return F.normalize(self.filter(context, self.batch.target).float(), dim=-1)

    @cached_property
    def cos_next(self) -> Tensor:
        """(B,): cosine of the base prediction and the target."""
        return cosine(self.prediction, self.batch.target)

    @cached_property
    def window_keys(self) -> Tensor:
        """(B,) int64, drawn from the content of each window; on the processor, as row numbers are."""
        return self.keys.of(self.batch)
