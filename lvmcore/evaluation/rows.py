"""Arithmetic of unit rows that every test uses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def cosine(left: Tensor, right: Tensor) -> Tensor:
    """Cosine of unit rows (B, D) × (B, D) → (B,)."""
    return (left * right).sum(-1)


def pointing(prediction: Tensor) -> Tensor:
    """Which predictions (B, D) are a direction (B,); one that is broken was made 0."""
    return (prediction != 0).any(-1)


def answered(prediction: Tensor, rows: Tensor) -> Tensor:
    """Cosine (B,), NaN where the prediction is broken: to fail at a spoilt context is not to notice it."""
    return where(pointing(prediction), cosine(prediction, rows))


def where(mask: Tensor, values: Tensor) -> Tensor:
    """Values where they can be measured, NaN elsewhere."""
    values = values if values.is_floating_point() else values.float()
    return values.masked_fill(~mask, math.nan)
