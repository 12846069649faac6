"""A sixth test for 5CAT: does a prediction leave the span of its context?

    lvm eval latest --plugin examples/span_check.py --registry examples/span_gates.toml --gates span

A mixture of its context rows never leaves their span, however well it is weighted; the true next row does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from lvmcore import Chunk, Figure, component, hookimpl


@component
class Span:
    """Share of the unit prediction's squared length outside the span of its context, beside the target's."""

    letter: ClassVar[str] = "F"
    title: ClassVar[str] = "span"

    def figures(self, context: int) -> tuple[Figure, ...]:
        return (
            Figure(
                "outside", help="share of the prediction outside the span of its context", range=(0, 1), better="higher"
            ),
            Figure("outside_of_target", "that of the target", help="the same of the target", range=(0, 1)),
        )

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        def measure(chunk: Chunk) -> dict[str, Tensor]:
            basis = torch.linalg.qr(chunk.batch.context.mT).Q  # (B, D, C)
            return {
                "outside": outside(chunk.prediction, basis),
                "outside_of_target": outside(chunk.batch.target, basis),
            }

        return measure


def outside(rows: Tensor, basis: Tensor) -> Tensor:
    """1 − ‖projection‖² of unit rows (B, D) on an orthonormal basis (B, D, C) → (B,)."""
    return 1 - (rows[:, None] @ basis).square().sum((1, 2))


@hookimpl
def lvm_checks():
    return [("span", Span)]
