"""From per-window columns to figures of a split, each with an interval from a bootstrap over articles.

Windows of one article overlap, so articles are what is drawn. Every figure is the mean of a column, a ratio
Σ sums / Σ counts over articles; its interval is the bootstrap-t of that ratio (Efron & Tibshirani 1993,
chapter 12), which covers as it should from 20 articles on, where a percentile interval is too short.
"""

from __future__ import annotations

from functools import cached_property

import attrs
import numpy as np

from lvmcore.evaluation.figures import ANY, Estimate

RESAMPLES = 1000
FEW = 20
"""Below this number of articles an interval covers less often than it says."""
SIGNS = 6
"""Equal signs that a sign test takes for a difference at 5 %: 2 · (1/2)⁶ = 0.03."""
_BLOCK = 50
_LEAST_SPREAD = 0.3


@attrs.frozen(eq=False)
class Bootstrap:
    """A mean with its standard error, and the same two of every resample (R,)."""

    value: float
    error: float
    values: np.ndarray
    errors: np.ndarray
    level: float = 0.95

    def estimate(self, bounds: tuple[float, float] = ANY) -> Estimate:
        """Value and bootstrap-t interval, cut to the range the figure can have."""
        if not np.isfinite(self.value):
            return Estimate(None)
        if not len(self.values) or not np.isfinite(self.error):
            return Estimate(self.value)
        if self.error == 0:
            return Estimate(self.value, self.value, self.value)
        usable = np.isfinite(self.values)
        if not usable.any():
            return Estimate(self.value)
        # a resample that misses the few articles with a rare event has no spread of its own
        errors = np.maximum(self.errors[usable], _LEAST_SPREAD * self.error)
        pivots = (self.values[usable] - self.value) / errors
        below, above = np.quantile(pivots, ((1 - self.level) / 2, (1 + self.level) / 2))
        low, high = self.value - above * self.error, self.value - below * self.error
        return Estimate(self.value, float(np.clip(low, *bounds)), float(np.clip(high, *bounds)))

    def minus(self, other: Bootstrap) -> Bootstrap:
        """The difference of two independent estimates, such as of two splits."""
        return Bootstrap(
            self.value - other.value,
            float(np.hypot(self.error, other.error)),
            self.values - other.values,
            np.hypot(self.errors, other.errors),
            self.level,
        )


class Statistics:
    """Means of per-window columns, with what a bootstrap over articles says of them.

    Args:
        columns: name → (W,) float, NaN where a window lacks the figure.
        articles: (W,) the article of each window.
        resamples: number of resamples; 0 gives values without intervals.
        seed: of the resampling.
        too_short: the rows of each article that holds no window.
        level: of the intervals.
    """

    few = FEW

    def __init__(
        self,
        columns: dict[str, np.ndarray],
        articles: np.ndarray,
        resamples: int = 0,
        seed: int = 0,
        too_short: tuple[int, ...] = (),
        level: float = 0.95,
    ) -> None:
        self.columns = columns
        self._group = np.unique(articles, return_inverse=True)[1]
        self.articles = int(self._group.max()) + 1 if len(self._group) else 0
        self.resamples, self.seed, self.too_short, self.level = resamples, seed, too_short, level
        self._names = {name: i for i, name in enumerate(columns)}

    def bootstrap(self, name: str) -> Bootstrap:
        """The mean of a column, with what the resamples say; NaN where no window has it."""
        if name not in self._names:
            nothing = np.full(self.resamples, np.nan)
            return Bootstrap(float("nan"), float("nan"), nothing, nothing, self.level)
        i = self._names[name]
        values, errors = self._resampled
        return Bootstrap(float(self._values[i]), float(self._errors[i]), values[:, i], errors[:, i], self.level)

    def figure(self, name: str, bounds: tuple[float, float] = ANY) -> Estimate:
        """What was measured of a column: its mean and interval."""
        return self.bootstrap(name).estimate(bounds)

    def above_0(self, name: str) -> Statistics:
        """The share of the windows whose value of a column is above 0, under the same name."""
        column = self.columns.get(name, np.zeros(0))
        shares = np.where(np.isnan(column), np.nan, column > 0)
        alike = Statistics({name: shares} if name in self._names else {}, self._group, self.resamples, self.seed)
        alike.too_short, alike.level = self.too_short, self.level
        return alike

    def difference(self, name: str) -> Estimate:
        """The figure of a column of paired differences.

        Where two predictors differ in a handful of articles alone, however much they agree there, nothing can be
        told: five signs that are equal come up once in sixteen. The interval then holds 0.
        """
        figure = self.figure(name)
        if figure.low is None or figure.high is None:
            return figure
        differing = len(np.unique(self._group[np.nan_to_num(self.columns[name]) != 0]))
        if differing >= SIGNS:
            return figure
        return Estimate(figure.value, min(figure.low, 0.0), max(figure.high, 0.0))

    def value(self, name: str) -> float:
        """The mean of a column without its interval."""
        return float(self._values[self._names[name]]) if name in self._names else float("nan")

    def count(self, name: str) -> int:
        """How many windows have a column."""
        return 0 if name not in self._names else int((~np.isnan(self.columns[name])).sum())

    def articles_with(self, name: str) -> int:
        """How many articles have a column."""
        return 0 if name not in self._names else int(self._having[self._names[name]])

    def articles_without(self, name: str) -> int:
        """How many articles have windows, but none with this column."""
        return int((self._by_article[1][:, self._names[name]] == 0).sum())

    @cached_property
    def _by_article(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums and counts of every column (A, F) float64."""
        sums = np.empty((self.articles, len(self.columns)))
        counts = np.empty_like(sums)
        for i, column in enumerate(self.columns.values()):
            there = ~np.isnan(column)
            sums[:, i] = np.bincount(self._group, np.where(there, column, 0.0), self.articles)
            counts[:, i] = np.bincount(self._group, there, self.articles)
        return sums, counts

    @cached_property
    def _having(self) -> np.ndarray:
        """How many articles have each column (F,)."""
        return (self._by_article[1] > 0).sum(0)

    @cached_property
    def _values(self) -> np.ndarray:
        sums, counts = self._by_article
        return _ratio(sums.sum(0), counts.sum(0))

    @cached_property
    def _errors(self) -> np.ndarray:
        number, squares, products, counts = (part.sum(0) for part in self._moments)
        centred = np.zeros_like(self._values)
        errors = _standard_error(centred, number, squares, products, counts, self.articles)
        return np.where(self._having > 1, errors, np.nan)  # one article says nothing of how much others differ

    @cached_property
    def _moments(self) -> tuple[np.ndarray, ...]:
        """Counts, s², s·n and n² of every article and column: all that the standard error of a ratio needs.

        Sums are taken about the overall mean, so that nearly equal articles lose no digits.
        """
        sums, counts = self._by_article
        centred = sums - np.nan_to_num(self._values) * counts
        return counts, centred**2, centred * counts, counts**2

    @cached_property
    def _resampled(self) -> tuple[np.ndarray, np.ndarray]:
        """Value and standard error of every resample and column (R, F) each."""
        shape = (self.resamples, len(self.columns))
        values, errors = np.empty(shape), np.empty(shape)
        if not self.resamples:
            return values, errors
        sums, counts = self._by_article
        centre = np.nan_to_num(self._values)
        stacked = np.concatenate([sums - centre * counts, *self._moments], 1)
        generator = np.random.default_rng(self.seed)
        for start in range(0, self.resamples, _BLOCK):
            rows = slice(start, min(start + _BLOCK, self.resamples))
            drawn = generator.integers(0, self.articles, (rows.stop - rows.start, self.articles))
            weights = np.stack([np.bincount(draw, minlength=self.articles) for draw in drawn]).astype(float)
            total, number, squares, products, square_counts = np.split(weights @ stacked, 5, axis=1)
            shifted = _ratio(total, number)
            values[rows] = shifted + centre
            errors[rows] = _standard_error(shifted, number, squares, products, square_counts, self.articles)
        return values, errors


def few_articles(split: str, articles: int, level: float = 0.95) -> str:
    """What is said of a split that holds too few articles for its intervals."""
    return f"{split} holds {articles} articles: below {FEW}, intervals cover less often than {level * 100:g} %"


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums / counts


def _standard_error(
    value: np.ndarray, number: np.ndarray, squares: np.ndarray, products: np.ndarray, counts: np.ndarray, articles: int
) -> np.ndarray:
    """Linearised standard error of a ratio of means: √(A/(A−1) · Σ (s − r·n)²) / Σ n."""
    if articles < 2:
        return np.full_like(value, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = squares - 2 * value * products + value**2 * counts
        return np.sqrt(np.maximum(residual, 0) * articles / (articles - 1)) / number
