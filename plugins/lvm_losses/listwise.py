"""Listwise ranking: the target first, in a list of rows of its own article."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from attrs.validators import ge, gt

from lvm_losses.directional import ROW
from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step


@component
class Listwise:
    """Mean cross-entropy of the target by cos/τ in the list {target, earlier row, random rows of the article}.

    The random rows lie outside of the window. Source: ListNet's top-one form (Cao et al. 2007); P8, after the
    comparison of 2025-11-02.
    """

    rows: int = option(default=30, help="random rows", validator=ge(0))
    tau: float = option(default=0.07, help="temperature τ", validator=gt(0))
    against: Literal["prev", "last"] = option(default="prev", help="the earlier row: context row −2 or −1")

    def build(self) -> Callable[[Step], Tensor]:
        import torch

        def listwise(step: Step) -> Tensor:
            drawn, there = step.article_rows(self.rows)  # (B, K, D), (B, K)
            rows = torch.cat([step.target[:, None], step.context[:, ROW[self.against], None], drawn], 1)
            scores = (rows * step.unit[:, None]).sum(-1) / self.tau  # (B, 2 + K)
            there = torch.cat([there.new_ones(len(there), 2), there], 1)
            return -scores.masked_fill(~there, -torch.inf).log_softmax(-1)[:, 0].mean()

        return listwise
