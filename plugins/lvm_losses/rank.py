"""Ranking: the target among the first few rows of its own article."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs.validators import ge, gt

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


@component
class Rank:
    """Mean of sigmoid((s_k − s)/τ): s = cos(p, target), s_k the k-th best cosine with the other rows of the article.

    A smooth count of the windows that miss recall at k among rows not in the context, which is what retrieval counts.
    All rows of the article but those of the window are candidates; one with fewer than k such rows can't miss and
    counts 0. The sampler `articles` keeps the windows of an article together, so that few rows are looked at.
    """

    k: int = option(default=5, help="the place up to which a target counts as found", validator=ge(1))
    tau: float = option(default=0.1, help="temperature τ", validator=gt(0))

    def build(self) -> Callable[[Step], Tensor]:
        import torch
        from torch.nn.functional import pad

        def rank(step: Step) -> Tensor:
            rows, others = step.candidates()  # (N, D), (B, N)
            scores = (step.unit @ rows.T).masked_fill(~others, -torch.inf)
            kth = pad(scores, (0, self.k), value=-torch.inf).topk(self.k).values[:, -1]  # (B,)
            return ((kth - step.cos_next) / self.tau).sigmoid().mean()

        return rank
