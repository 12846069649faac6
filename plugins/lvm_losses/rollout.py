"""Rollout: predict several rows, each from a context that ends in the predictions before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from attrs.validators import ge

from lvmcore import component, option

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore import Step

FLAT = 0.95


@component
class Rollout:
    """p_1 … p_H, each predicted from the C rows before it, own predictions at unit length among them.

    `future`: mean of 1 − cos(p_h, x_{t+h−1}) over all windows and h whose row the article still has.
    `flat`: mean of 10 · ReLU(cos(p_h, p_{h−1}) − 0.95) over h = 2 … H, which asks for movement and not for direction;
    it is what P4 meant, and at weight 0.05 its gradient is 16 times the mse's. The gradient runs through all steps.
    Source: row 10 (P4) of the comparison of 2025-11-02.
    """

    h: int = option(default=3, help="steps; each after the first costs a forward pass", validator=ge(1))
    target: Literal["future", "flat"] = option(
        default="future", help="hit the rows to come, or only do not stand still"
    )

    def __attrs_post_init__(self) -> None:
        if self.target == "flat" and self.h < 2:
            raise ValueError("target=flat compares successive predictions and needs h of at least 2")

    def build(self) -> Callable[[Step], Tensor]:
        import torch
        from torch.nn.functional import normalize

        def predictions(step: Step) -> Tensor:
            """(B, H, D) unit rows."""
            context, found = step.context, [step.unit]
            while len(found) < self.h:
                context = torch.cat([context[:, 1:], found[-1][:, None]], 1)
                found.append(normalize(step.predict(context), dim=-1))
            return torch.stack(found, 1)

        def future(step: Step) -> Tensor:
            miss = 1 - step.cos_next  # (B,)
            if self.h == 1:
                return miss.mean()
            later, there = step.future(self.h - 1)  # (B, H−1, D), (B, H−1)
            misses = (1 - (predictions(step)[:, 1:] * later).sum(-1)) * there
            return (miss.sum() + misses.sum()) / (len(miss) + there.sum())

        def flat(step: Step) -> Tensor:
            found = predictions(step)
            likeness = (found[:, 1:] * found[:, :-1]).sum(-1)  # (B, H−1)
            return 10 * (likeness - FLAT).relu().mean()

        return future if self.target == "future" else flat
