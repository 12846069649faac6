"""The reference model: an average of the context that is denoised, and then what the rows in their order add to it.

It is fit in closed form, step by step. Each step is a ridge on what the steps before it leave over, and its strength
is chosen by articles that it was not fit on; where nothing helps there, the step adds nothing. So a step that has
nothing to say costs nothing, and the last answer knows what the average knows.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.windows import Batch, Windows
from lvmcore.inspection.ridge import Moments, Ridge, chosen

FOLDS = 3
"""Runs of consecutive articles: neighbours in a corpus often share an author, and would be no test of each other."""
AXES, CURVED, SCARCE = 128, 48, 8
"""Principal axes of the training rows that the later steps read and correct, and of the answer whose products are
taken, as long as there are so many windows a product; the first step, of the answer as a whole, takes every axis."""
BATCH = 2048
AVERAGE, SMOOTHED, LINEAR, REFERENCE = LEVELS = ("average", "smoothed", "linear", "reference")

Features = Callable[[Tensor, Tensor], Tensor]
"""(contexts (B, C, D), answers so far (B, D)) → (B, F)."""


@attrs.frozen(eq=False)
class Step:
    """One correction of the answer."""

    level: str
    """What the answer is called when this step is done."""
    features: Features
    ridge: Ridge | None
    axes: Tensor
    """(D, K): what is corrected."""

    def __call__(self, context: Tensor, answer: Tensor) -> Tensor:
        return answer if self.ridge is None else answer + self.ridge(self.features(context, answer)) @ self.axes.T


@attrs.frozen(eq=False)
class Reference:
    """The fitted model."""

    average: Callable[[Tensor], Tensor]
    steps: tuple[Step, ...]

    def levels(self, context: Tensor) -> dict[str, Tensor]:
        """Contexts (B, C, D) → the answer (B, D) at each level:

        `average`: the baseline predictor; `smoothed`: the best that can be made of that one vector, by a matrix and
        a quadratic form; `linear`: a matrix for each row on top; `reference`: a quadratic form of that answer on top.
        """
        answer = self.average(context)
        found = {AVERAGE: answer}
        for step in self.steps:
            answer = found[step.level] = step(context, answer)
        return {level: found.get(level, answer) for level in LEVELS}

    def __call__(self, context: Tensor) -> Tensor:
        return self.levels(context)[REFERENCE]


def fit(corpus: Corpus, average: Callable[[Tensor], Tensor], context: int) -> Reference:
    """Fit the reference on the training windows of a corpus.

    Args:
        average: the fitted baseline, contexts (B, C, D) → (B, D).

    Raises:
        LvmError: no training article is long enough.
    """
    windows = corpus.windows("train", context).require("the reference model to be fit on")
    mean, every, _ = principal(windows, lambda batch: batch.target, corpus.dim)
    widest = every[:, :AXES].contiguous()

    def then(made: Reference, level: str, features: Features, axes: Tensor = widest) -> Reference:
        """One step more, fit on what the others leave over."""
        step = Step(level, features, chosen(_moments(windows, made, features, axes)), axes)
        return attrs.evolve(made, steps=(*made.steps, step))

    made = Reference(average, ())
    made = then(made, SMOOTHED, lambda _, answer: (answer - mean) @ every, every)
    made = then(made, SMOOTHED, curve(windows, made, CURVED))
    made = then(made, LINEAR, lambda context, _: ((context - mean) @ widest).flatten(1))
    if made.steps[-1].ridge is None:  # the answer is the smoothed one still, whose curve is known
        return made
    return then(made, REFERENCE, curve(windows, made, CURVED))


def _moments(windows: Windows, made: Reference, features: Features, axes: Tensor) -> list[Moments]:
    """Of the features and of what the answer leaves over, a fold each."""
    folds: list[Moments] = []
    for batch, fold in zip(windows.batches(BATCH), _folds(windows).split(BATCH), strict=True):
        answer = made(batch.context)
        given, left = features(batch.context, answer), (batch.target - answer) @ axes
        if not folds:
            folds = [Moments(given.shape[1], left.shape[1]) for _ in range(FOLDS)]
        for one in fold.unique().tolist():
            folds[one].add(given[fold == one], left[fold == one])
    return folds


def _folds(windows: Windows) -> Tensor:
    """(W,) int64: the fold of each window, by whole articles, as even in windows as they allow."""
    _, counts = windows.articles.unique_consecutive(return_counts=True)
    middles = counts.cumsum(0) - counts / 2
    return (middles * FOLDS / len(windows.targets)).long().clamp(max=FOLDS - 1).repeat_interleave(counts)


def curve(windows: Windows, made: Reference, most: int) -> Features:
    """All products of two coordinates of the answer, in its principal axes at unit variance: (B, K·(K+1)/2)."""
    most = min(most, int((2 * len(windows) / SCARCE) ** 0.5))
    mean, axes, variances = principal(windows, lambda batch: made(batch.context), max(1, most))
    scaled = axes / variances.sqrt()
    first, second = torch.triu_indices(scaled.shape[1], scaled.shape[1])

    def products(_: Tensor, answer: Tensor) -> Tensor:
        coordinates = (answer - mean) @ scaled
        return coordinates[:, first] * coordinates[:, second]

    return products


def principal(windows: Windows, rows: Callable[[Batch], Tensor], most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (D,), the widest axes (D, K) and the variances along them (K,) of vectors (B, D) over the windows; float32.

    Axes along which next to nothing varies are left out.
    """
    dim = windows.corpus.dim
    total, products = torch.zeros(dim).double(), torch.zeros(dim, dim).double()
    for batch in windows.batches(BATCH):
        given = rows(batch)
        total += given.sum(0, dtype=torch.float64)
        products += given.T @ given
    mean = total / len(windows)
    variances, axes = torch.linalg.eigh(products / len(windows) - torch.outer(mean, mean))
    variances, axes = variances.flip(0)[:most], axes.flip(1)[:, :most]
    kept = variances > 1e-6 * variances[0].clamp_min(1e-12)
    # LAPACK leaves the signs open; the products of two axes would turn with them
    axes = axes * torch.where(axes.gather(0, axes.abs().argmax(0, keepdim=True)) < 0, -1, 1)
    return mean.float(), axes[:, kept].float(), variances[kept].float()
