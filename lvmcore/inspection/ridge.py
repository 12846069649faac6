"""Ridge regression from moments alone: blocks of any number of windows are added up, and nothing else is kept."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

STRENGTHS = (1000.0, 100.0, 10.0, 1.0, 1e-1, 1e-2, 1e-3)
"""Tried in this order until one does worse than the one before it, each times the mean variance of the features."""
LEAST = 1e-6


@attrs.frozen(eq=False)
class Ridge:
    """features (B, F) → (B, D): a matrix and an intercept."""

    weights: Tensor
    """(F, D) float64."""
    centre: Tensor
    """(F,) float64: the mean of the features."""
    mean: Tensor
    """(D,) float64: what is foretold of the mean features."""

    def __call__(self, features: Tensor) -> Tensor:
        kind = features.dtype
        return (features - self.centre.to(kind)) @ self.weights.to(kind) + self.mean.to(kind)


class Moments:
    """Sums over windows of features x (F,) and targets y (D,), float64."""

    def __init__(self, features: int, targets: int) -> None:
        self.count = 0
        self.x, self.y = torch.zeros(features).double(), torch.zeros(targets).double()
        self.xx, self.xy = torch.zeros(features, features).double(), torch.zeros(features, targets).double()
        self.yy = 0.0

    def add(self, features: Tensor, targets: Tensor) -> None:
        """Add a block (B, F) and (B, D); products in their own precision, sums in float64."""
        self.count += len(features)
        self.x += features.sum(0, dtype=torch.float64)
        self.y += targets.sum(0, dtype=torch.float64)
        self.xx += features.T @ features
        self.xy += features.T @ targets
        self.yy += float(targets.double().square().sum())

    def __add__(self, other: Moments) -> Moments:
        total = Moments(0, 0)
        total.count, total.yy = self.count + other.count, self.yy + other.yy
        for name in ("x", "y", "xx", "xy"):
            setattr(total, name, getattr(self, name) + getattr(other, name))
        return total

    def solve(self, strength: float) -> Ridge:
        """The matrix that minimises ‖y − ŷ‖² + strength · mean variance of a feature · ‖W‖².

        The intercept is shrunk as a feature of that variance is, so that the stronger, the closer to adding nothing.
        """
        centre, mean = self.x / self.count, self.y / self.count
        spread = self.xx - torch.outer(self.x, centre)
        # what does not vary at all needs something on the diagonal all the same
        spread.diagonal().add_(max(strength * float(spread.diagonal().mean()), LEAST))
        right = self.xy - torch.outer(self.x, mean)
        weights = torch.cholesky_solve(right, torch.linalg.cholesky(spread))
        return Ridge(weights, centre, mean / (1 + strength))

    def error(self, ridge: Ridge) -> float:
        """Σ ‖y − ŷ‖² over the windows added up here."""
        shift = ridge.mean - ridge.centre @ ridge.weights  # ŷ = x·W + shift
        products = self.xx @ ridge.weights + 2 * torch.outer(self.x, shift)
        fitted = float((products * ridge.weights).sum()) + self.count * float(shift @ shift)
        return self.yy + fitted - 2 * float((self.xy * ridge.weights).sum() + self.y @ shift)


def chosen(folds: Sequence[Moments]) -> Ridge | None:
    """The ridge of all folds with the strength that foretells each fold best from the others.

    None where no strength does better than to add nothing, as with fewer than two folds that hold any window.
    """
    folds = [fold for fold in folds if fold.count]
    if len(folds) < 2:
        return None
    others = [_total([one for one in folds if one is not fold]) for fold in folds]
    best, least = None, sum(fold.yy for fold in folds)
    for strength in STRENGTHS:
        error = sum(fold.error(rest.solve(strength)) for fold, rest in zip(folds, others, strict=True))
        if error >= least:
            break
        best, least = strength, error
    return None if best is None else _total(folds).solve(best)


def _total(parts: Sequence[Moments]) -> Moments:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
