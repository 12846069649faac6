"""Ridge regression from the whole context: the best linear predictor."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from attrs.validators import ge
from torch import Tensor

from lvmcore import Corpus, component, device, option

BATCH = 2048
LAMBDAS = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
"""Tried in this order, each times the mean of the Gram matrix's diagonal."""


@component
class Ridge:
    """A full matrix a row and an intercept, in closed form; λ is chosen on a tenth of the training articles."""

    fit: ClassVar[bool] = True

    windows: int = option(default=200_000, help="at most so many training windows, evenly spaced", validator=ge(1))

    def build(self, corpus: Corpus, context: int) -> Callable[[Tensor], Tensor]:
        weights, intercept = self.weights(corpus, context)
        return lambda rows: rows.flatten(1) @ weights.to(rows) + intercept.to(rows)

    def weights(self, corpus: Corpus, context: int) -> tuple[Tensor, Tensor]:
        """Weights (C·D, D) and intercept (D,), float64.

        Raises:
            LvmError: where no training article is long enough.
        """
        found = corpus.windows("train", context).require("the ridge to be fit on")
        step = -(-len(found) // self.windows)
        targets = found.targets[::step]
        articles = corpus.article_of[targets]
        held = articles.unique()[::10]
        held_out = torch.isin(articles, held)
        gram, right = _moments(corpus, targets[~held_out], context)
        held_gram, held_right = _moments(corpus, targets[held_out], context)
        strength = LAMBDAS[len(LAMBDAS) // 2]
        if len(articles.unique()) > 1:  # with one article there is nothing to choose by
            strength = min(LAMBDAS, key=lambda lam: _error(held_gram, held_right, _solve(gram, right, lam)))
        solution = _solve(gram + held_gram, right + held_right, strength)
        return solution[:-1], solution[-1]


def _moments(corpus: Corpus, targets: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """XᵀX (F, F) and XᵀY (F, D) of contexts with a column of ones; products in float32, sums in float64."""
    size = context * corpus.dim + 1
    gram, right = (device.zeros64(size, width, corpus.device) for width in (size, corpus.dim))
    for part in targets.split(BATCH):
        rows = corpus.rows(part[:, None] + torch.arange(-context, 1))  # (B, C + 1, D)
        features = torch.cat([rows[:, :-1].flatten(1), rows.new_ones(len(part), 1)], 1)
        gram += (features.T @ features).to(gram.device)
        right += (features.T @ rows[:, -1]).to(right.device)
    return gram, right


def _solve(gram: Tensor, right: Tensor, strength: float) -> Tensor:
    """The ridge solution (F, D); its last row, the intercept, is not shrunk."""
    penalty = gram.new_full((len(gram),), strength * float(gram.diagonal()[:-1].mean()))
    penalty[-1] = 0
    return torch.linalg.solve(gram + penalty.diag(), right)


def _error(gram: Tensor, right: Tensor, solution: Tensor) -> float:
    """Σ ‖y − x·W‖² less the constant Σ ‖y‖², from the moments alone."""
    return float(((gram @ solution) * solution).sum() - 2 * (right * solution).sum())
