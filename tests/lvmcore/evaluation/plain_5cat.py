"""Protocol `5cat` as a loop over windows in float64, written from its page alone: the reference for the batched one.

Where the page leaves room, this is the reading taken here.

* Rows are unit vectors already; each is scaled to unit norm again in float64, so that a float32 row counts as exact.
* A predictor gets (context, target); only an oracle looks at the target. It is the row the prediction is compared with:
  x_t in A, B, C and E, x_{t+h-1} in step h of D, x_{t-6} when the rows are read backwards.
* A vector of norm 0 has no direction: its cosine with anything is 0 and it is left as it is.
* A: the largest rival of the margin is the largest of the *means*. The windows of direction need row t - 6 and nothing
  else (not the eight rows of the sweep). gain and direction lie under "A" but are means over their own windows:
  gain over all windows, as `cosine` is.
* B: the context rows are left out by position, so that a copy of one elsewhere in the article stays. Rows tie where
  their cosines are equal bit for bit. A target that ties with others stands at each of their places equally often:
  R@k and MRR are the means over these places, and so is the rank. So what ties with everything gets what chance gives.
  A prediction of norm 0 finds nothing: its target stands last.
  Chance is a uniformly random rank without ties: 1/n, 5/n and (1 + 1/2 + … + 1/n)/n for n candidates, averaged over the
  windows. `duplicates` counts the windows whose target has an exact copy among its other candidates.
  Every article with fewer than 6 candidates is skipped and counted, also one too short to hold a window.
* C: ablated rows stand in the order oldest to newest; shuffle puts row permutation[i] in place i. The windows of C are
  all windows. Without another article in the split, foreign is None.
* D: what slides into the context is the unit vector p_h.
* E: normal holds both its borders. The gain of a bin is over the windows of that bin. Coherence is that of the
  context as it stands in the article.
* A mean over no window is None and its count 0.
* `filter`: the squared error of the sum itself is least, over all training windows (neither the sum nor the mean vector
  is scaled to unit norm); the mean vector is that of all rows of the training articles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

CONTEXT = 5
HORIZON = 5
OFFSETS = range(-4, 4)
FEWEST_CANDIDATES = 6

Array = NDArray[np.floating[Any]]
Predict = Callable[[Array, Array], Array]
"""(C, D) context and (D,) target → (D,); only an oracle reads the target."""
Permute = Callable[[int, int], Sequence[int]]
"""The number of the article and t → where each row of the shuffled context comes from."""
Foreign = Callable[[int, int], Array | None]
"""The number of the article and t → a row (D,) of another article of the split, or None where there is none."""


class Window(NamedTuple):
    """The window whose target is row t of an article."""

    article: int
    rows: Array
    t: int

    @property
    def context(self) -> Array:
        return self.rows[self.t - CONTEXT : self.t]

    @property
    def target(self) -> Array:
        return self.rows[self.t]

    def has(self, *rows: int) -> bool:
        """Whether the article has all these rows."""
        return all(0 <= row < len(self.rows) for row in rows)


def evaluate(
    predict: Predict,
    articles: Sequence[Array],
    split_articles: Mapping[str, Sequence[int]],
    *,
    baseline: Predict,
    permute: Permute,
    foreign: Foreign,
) -> dict[str, Any]:
    """The figures of a predictor, in the shape of the page's JSON with plain numbers for figures.

    Args:
        predict: the predictor.
        articles: (L, D) unit rows each.
        split_articles: the numbers of the articles of each split, in order.
        baseline: the predictor called `filter`, for gain and direction.
        permute: the seeded shuffle of a window.
        foreign: the seeded foreign row of a window.
    """
    splits = {
        split: evaluate_split(predict, [(number, articles[number]) for number in numbers], baseline, permute, foreign)
        for split, numbers in split_articles.items()
    }
    return {"schema": 1, "protocol": "5cat", "splits": splits, "E_delta": delta(splits)}


def evaluate_split(
    predict: Predict, articles: Sequence[tuple[int, Array]], baseline: Predict, permute: Permute, foreign: Foreign
) -> dict[str, Any]:
    articles = [(number, unit_rows(rows)) for number, rows in articles]
    windows = windows_of(articles)
    cosines = [cosine_of(predict, window) for window in windows]
    return {
        "cosine": mean(cosines),
        "windows": len(windows),
        "A": {
            **offset_sweep(predict, windows),
            "direction": direction(predict, baseline, windows),
            "gain": gain(predict, baseline, windows),
        },
        "B": {
            "all": retrieval(predict, articles, unseen=False),
            "unseen": retrieval(predict, articles, unseen=True),
        },
        "C": ablations(predict, windows, permute, foreign),
        "D": rollout(predict, windows),
        "E": coherence_bins(predict, baseline, windows),
    }


# --- A


def offset_sweep(predict: Predict, windows: Iterable[Window]) -> dict[str, Any]:
    """s(k) = cos(p, x_{t-1+k}) for k = -4 … +3, where all eight rows exist."""
    similarities: dict[int, list[float]] = {k: [] for k in OFFSETS}
    for window in windows:
        if not window.has(*(window.t - 1 + k for k in OFFSETS)):
            continue
        p = predicted(predict, window.context, window.target)
        for k in OFFSETS:
            similarities[k].append(cosine(p, window.rows[window.t - 1 + k]))
    curve = {k: mean(values) for k, values in similarities.items()}
    return {
        "offsets": {offset_name(k): value for k, value in curve.items()},
        "margin": difference(curve[1], largest(value for k, value in curve.items() if k != 1)),
        "margin_last": difference(curve[1], curve[0]),
        "windows": len(similarities[1]),
    }


def gain(predict: Predict, baseline: Predict, windows: Iterable[Window]) -> float | None:
    """mean cos(p, x_t) less the same for `filter`."""
    return mean([cosine_of(predict, window) - cosine_of(baseline, window) for window in windows])


def direction(predict: Predict, baseline: Predict, windows: Iterable[Window]) -> float | None:
    """gain forwards less gain backwards, over the windows that also have row t - 6."""
    values = []
    for window in windows:
        if not window.has(window.t - 6):
            continue
        forwards = (window.context, window.target)
        backwards = (window.context[::-1], window.rows[window.t - 6])
        gains = [
            cosine(predicted(predict, context, target), target) - cosine(predicted(baseline, context, target), target)
            for context, target in (forwards, backwards)
        ]
        values.append(gains[0] - gains[1])
    return mean(values)


# --- B


def retrieval(predict: Predict, articles: Iterable[tuple[int, Array]], *, unseen: bool) -> dict[str, Any]:
    """The rank of the target among the rows of its article; `unseen` leaves out the five context rows."""
    places, counts, duplicates, skipped = [], [], 0, 0
    for number, rows in articles:
        if len(rows) - (CONTEXT if unseen else 0) < FEWEST_CANDIDATES:
            skipped += 1
            continue
        for window in windows_of([(number, rows)]):
            others = [row for row in range(len(rows)) if row != window.t and not (unseen and in_context(window, row))]
            p = predicted(predict, window.context, window.target)
            last = range(1 + len(others), 2 + len(others))
            places.append(places_of(similarities_to(rows, p), window.t, others) if p.any() else last)
            counts.append(1 + len(others))
            duplicates += any(np.array_equal(rows[row], window.target) for row in others)
    return {
        **recalls(places),
        "chance_r1": mean([1 / count for count in counts]),
        "chance_r5": mean([min(5, count) / count for count in counts]),
        "chance_mrr": mean([sum(1 / rank for rank in range(1, count + 1)) / count for count in counts]),
        "windows": len(places),
        "skipped_articles": skipped,
        "duplicates": duplicates,
    }


def in_context(window: Window, row: int) -> bool:
    return window.t - CONTEXT <= row < window.t


def similarities_to(rows: Array, p: Array) -> Array:
    """(L,) cosines with p: every row by the same sum in the same order, so that equal rows come out equal."""
    return np.array([(row * p).sum() for row in rows])


def places_of(similarities: Array, target: int, others: Iterable[int]) -> range:
    """The places that the target may stand at: below the rows with a higher cosine, among those that tie with it."""
    above, ties = 0, 0
    for row in others:
        above += similarities[row] > similarities[target]
        ties += similarities[row] == similarities[target]
    return range(1 + above, 2 + above + ties)


def recalls(places: Iterable[Sequence[int]]) -> dict[str, float | None]:
    """R@1, R@5 and MRR, where a target stands at each of its places equally often."""
    found: dict[str, list[float]] = {"r1": [], "r5": [], "mrr": []}
    for held in places:
        found["r1"].append(sum(place <= 1 for place in held) / len(held))
        found["r5"].append(sum(place <= 5 for place in held) / len(held))
        found["mrr"].append(sum(1 / place for place in held) / len(held))
    return {name: mean(values) for name, values in found.items()}


# --- C


def ablations(predict: Predict, windows: Iterable[Window], permute: Permute, foreign: Foreign) -> dict[str, Any]:
    """mean cos(model(ablated c), x_t) less mean cos(model(c), x_t); leave-one-out is the mean over five contexts."""
    deltas: dict[str, list[float]] = {name: [] for name in ("shuffle", "reverse", "leave_one_out", "repeat", "foreign")}
    count = 0
    for window in windows:
        count += 1
        whole = cosine_of(predict, window)
        for name, contexts in ablated(window, permute, foreign).items():
            after = [cosine(predicted(predict, context, window.target), window.target) for context in contexts]
            deltas[name].append(sum(after) / len(after) - whole)
    return {**{name: mean(values) for name, values in deltas.items()}, "windows": count}


def ablated(window: Window, permute: Permute, foreign: Foreign) -> dict[str, list[Array]]:
    """The contexts that stand in for c, by the name of the ablation."""
    c = window.context
    contexts = {
        "shuffle": [c[list(permute(window.article, window.t))]],
        "reverse": [c[::-1]],
        "leave_one_out": [without(c, i) for i in range(CONTEXT)],
        "repeat": [np.stack([c[-1]] * CONTEXT)],
    }
    row = foreign(window.article, window.t)
    if row is not None:
        contexts["foreign"] = [np.stack([*c[:-1], unit(np.asarray(row, np.float64))])]
    return contexts


def without(context: Array, i: int) -> Array:
    """The context less row i, with the first remaining row once more at the front."""
    remaining = [row for j, row in enumerate(context) if j != i]
    return np.stack([remaining[0], *remaining])


# --- D


def rollout(predict: Predict, windows: Iterable[Window]) -> dict[str, Any]:
    """cos(p_h, x_{t+h-1}), h = 1 … H, where p_h slides into the context of p_{h+1}."""
    curve: list[list[float]] = [[] for _ in range(HORIZON)]
    for window in windows:
        if not window.has(*(window.t + h - 1 for h in range(1, HORIZON + 1))):
            continue
        context = window.context
        for h in range(1, HORIZON + 1):
            target = window.rows[window.t + h - 1]
            p = predicted(predict, context, target)
            curve[h - 1].append(cosine(p, target))
            context = np.stack([*context[1:], p])
    return {
        "score": mean([value for step in curve for value in step]),
        "curve": [mean(step) for step in curve],
        "windows": len(curve[0]),
    }


# --- E


def coherence_bins(predict: Predict, baseline: Predict, windows: Iterable[Window]) -> dict[str, Any]:
    """cos(p, x_t), gain and count by the coherence of the context."""
    bins: dict[str, list[Window]] = {"low": [], "normal": [], "high": []}
    for window in windows:
        bins[bin_of(coherence(window.context))].append(window)
    return {
        name: {
            "cosine": mean([cosine_of(predict, window) for window in held]),
            "gain": gain(predict, baseline, held),
            "windows": len(held),
        }
        for name, held in bins.items()
    }


def coherence(context: Array) -> float:
    """The mean cosine of the adjacent pairs of a context."""
    pairs = [cosine(a, b) for a, b in pairwise(context)]
    return sum(pairs) / len(pairs)


def bin_of(value: float) -> str:
    if value < 0.45:
        return "low"
    return "high" if value > 0.55 else "normal"


def delta(splits: Mapping[str, Any]) -> float | None:
    """|normal(VAL) - normal(OOD)|, None where a split or its bin is empty."""
    normal = [splits[split]["E"]["normal"]["cosine"] if split in splits else None for split in ("val", "ood")]
    between = difference(normal[0], normal[1])
    return None if between is None else abs(between)


# --- the yardstick that gain and direction are measured against


def six_scalars(articles: Sequence[Array]) -> Predict:
    """`filter`: Σ aᵢ · row i + b · mean training row, by least squares over the windows of the training articles."""
    held = [unit_rows(rows) for rows in articles]
    mean_row = np.concatenate([rows for rows in held if len(rows)]).mean(axis=0)
    windows = windows_of(enumerate(held))
    # one equation for each component of each target; the unknowns are the six scalars
    features = np.concatenate([np.stack([*window.context, mean_row], axis=1) for window in windows])
    targets = np.concatenate([window.target for window in windows])
    scalars = np.linalg.lstsq(features, targets, rcond=None)[0]
    return lambda context, _: scalars[:CONTEXT] @ context + scalars[CONTEXT] * mean_row


# --- vectors and means


def windows_of(articles: Iterable[tuple[int, Array]]) -> list[Window]:
    """Every window of the articles, in order; none crosses a border."""
    return [Window(number, rows, t) for number, rows in articles for t in range(CONTEXT, len(rows))]


def unit(vector: Array) -> Array:
    norm = np.sqrt((vector * vector).sum())
    return vector / norm if norm > 0 else vector


def unit_rows(rows: Array) -> Array:
    rows = np.asarray(rows, np.float64)
    return np.stack([unit(row) for row in rows]) if len(rows) else rows


def cosine(a: Array, b: Array) -> float:
    return float((unit(a) * unit(b)).sum())


def predicted(predict: Predict, context: Array, target: Array) -> Array:
    """p = normalise(model(c))."""
    return unit(np.asarray(predict(context, target), np.float64))


def cosine_of(predict: Predict, window: Window) -> float:
    """cos(p, x_t)."""
    return cosine(predicted(predict, window.context, window.target), window.target)


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def largest(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return max(there) if there else None


def offset_name(k: int) -> str:
    return f"+{k}" if k > 0 else str(k)
