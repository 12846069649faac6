"""From per-window figures to means over the windows of a split, article by article."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np


@attrs.frozen
class Figure:
    """A value with the ends of its 95 % interval; None where it can't be measured or no interval was asked for."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Statistics:
    """Means of per-window columns under one or several weightings of the articles.

    The first weighting counts every article once and gives the value itself; resampled weightings beside it
    give intervals, since every figure is a function of such means.

    Args:
        columns: name → (W,) float, NaN where a window lacks the figure.
        articles: (W,) the article of each window.
    """

    def __init__(self, columns: dict[str, np.ndarray], articles: np.ndarray) -> None:
        _, self._group = np.unique(articles, return_inverse=True)
        self.articles = int(self._group.max()) + 1 if len(self._group) else 0
        self.weights = np.ones((1, self.articles))
        self.columns = columns

    def mean(self, name: str) -> np.ndarray:
        """(K,) the mean of a column under each weighting; NaN where no window has it."""
        column = self.columns.get(name)
        if column is None:
            return np.full(len(self.weights), np.nan)
        there = ~np.isnan(column)
        sums = np.bincount(self._group, np.where(there, column, 0.0), self.articles)
        counts = np.bincount(self._group, there, self.articles)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.weights @ sums) / (self.weights @ counts)

    def figure(self, name_or_means: str | np.ndarray) -> Figure:
        """The figure of a column, or of means combined by the caller."""
        means = self.mean(name_or_means) if isinstance(name_or_means, str) else name_or_means
        return Figure(float(means[0]) if np.isfinite(means[0]) else None)

    def count(self, name: str) -> int:
        """How many windows have a column."""
        column = self.columns.get(name)
        return 0 if column is None else int((~np.isnan(column)).sum())

    def articles_without(self, name: str) -> int:
        """How many articles have windows, but none with this column."""
        there = np.bincount(self._group, ~np.isnan(self.columns[name]), self.articles)
        return int((there == 0).sum())


def figures(document: Any) -> Any:
    """Read a nested result back: `{"value": …}` tables become their value."""
    if isinstance(document, dict):
        return (
            document["value"]
            if set(document) == {"value", "low", "high"}
            else {key: figures(item) for key, item in document.items()}
        )
    return document
