"""InfoNCE: tell the target from other rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from attrs.validators import deep_iterable, ge, gt, in_, min_len

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step

SOURCES = ("batch", "context", "article")


@component
class InfoNce:
    """Cross-entropy of finding the target among negatives by cos/τ, plus that of finding the prediction of a target.

    `batch` takes the targets of the other windows, and is what the second direction is over; `context` adds the
    window's own context rows, `article` random rows of its article outside of the window.
    Source: van den Oord et al. 2018, in both directions as in CLIP (Radford et al. 2021), summed; rows 1 (AMN 584k)
    and P7 of the comparison of 2025-11-02.
    """

    tau: float = option(default=0.07, help="temperature τ", validator=gt(0))
    negatives: tuple[Literal["batch", "context", "article"], ...] = option(
        default=("batch",),
        help="where negatives come from: batch, context, article, or several, as in batch/context",
        validator=deep_iterable(in_(SOURCES), min_len(1)),
    )
    per_article: int = option(default=16, help="random rows of the article", validator=ge(1))
    mask: bool = option(default=True, help="leave out windows of the batch that lie in the same article")

    def build(self) -> Callable[[Step], Tensor]:
        import torch
        from torch.nn.functional import cross_entropy

        def nce(step: Step) -> Tensor:
            own = torch.arange(len(step.unit), device=step.unit.device)
            scores = step.unit @ step.target.T / self.tau  # (B, B): prediction × target
            if self.mask:
                articles = step.batch.articles
                same = (articles[:, None] == articles).fill_diagonal_(False)
                scores = scores.masked_fill(same, -torch.inf)
            found = [scores] if "batch" in self.negatives else [scores.diagonal()[:, None]]
            if "context" in self.negatives:
                found.append((step.context * step.unit[:, None]).sum(-1) / self.tau)  # (B, C)
            if "article" in self.negatives:
                rows, there = step.article_rows(self.per_article)
                likeness = (rows * step.unit[:, None]).sum(-1) / self.tau  # (B, per_article)
                found.append(likeness.masked_fill(~there, -torch.inf))
            target = own if "batch" in self.negatives else torch.zeros_like(own)
            loss = cross_entropy(torch.cat(found, 1), target)
            return loss + cross_entropy(scores.T, own) if "batch" in self.negatives else loss

        return nce
