"""Protocol `5cat-2025` as a loop over windows, faults included, written from its page alone, in float32 or float64.

Where the page leaves room, this is the reading taken here.

* The limit is N windows *measured* for each test: a window that lacks rows is passed over and not counted towards N.
  `counted="read"` takes the other reading, the first N windows whether they are measured or not.
* Cosine is a·b/((‖a‖+1e-9)(‖b‖+1e-9)) everywhere, in A, B, C, D and E. p is scaled to unit norm before.
* A: the largest rival of the margin is the largest of the means. margin_last, direction and gain belong to the other
  protocol and are left out.
* B: the similarities are one matrix product of the rows and p, each divided by its norm + 1e-9; the target's own
  cosine is computed alone, in the same precision. (Without the division, in float64 1e-9 would put every target
  below itself.) Ties cost nothing, but a prediction of norm 0, which ties with all, finds nothing: its target stands
  last. A window has at least six rows, so no window falls to the rule of six; the articles
  below it are counted. `duplicates` and the values of chance are those of `5cat` with all rows as candidates.
* C: `random.Random(17)` begins anew in every split. `repeat_pad` is five times the last row. `cross_article` copies the
  first context row over the last and keeps it in the first place too. The names in the result are those of `5cat`.
* D: an oracle is asked for x_{t+h-1} in step h, the row that follows its context, and compared with x_{t+h}.
* E: as in `5cat`; gain is left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from plain_5cat import (
    CONTEXT,
    HORIZON,
    Array,
    Predict,
    Window,
    bin_of,
    delta,
    difference,
    largest,
    mean,
    offset_name,
    recalls,
    windows_of,
)

OFFSETS = range(-3, 4)
SEED = 17
Counted = Literal["measured", "read"]


def evaluate(
    predict: Predict,
    articles: Sequence[Array],
    split_articles: Mapping[str, Sequence[int]],
    *,
    limit: int | None = None,
    counted: Counted = "measured",
    dtype: type[np.floating[Any]] = np.float64,
) -> dict[str, Any]:
    """The figures of a predictor, in the shape of the page's JSON with plain numbers for figures.

    Args:
        predict: the predictor; contexts and targets are passed in `dtype`.
        articles: (L, D) unit rows each.
        split_articles: the numbers of the articles of each split, in order.
        limit: N, the most windows for each test.
        counted: whether N counts the windows measured or those read.
        dtype: the precision of everything.
    """
    splits = {
        split: evaluate_split(
            predict, [(number, np.asarray(articles[number], dtype)) for number in numbers], limit, counted
        )
        for split, numbers in split_articles.items()
    }
    return {"schema": 1, "protocol": "5cat-2025", "splits": splits, "E_delta": delta(splits)}


def evaluate_split(
    predict: Predict, articles: Sequence[tuple[int, Array]], limit: int | None, counted: Counted
) -> dict[str, Any]:
    windows = windows_of(articles)

    def chosen(measurable: Callable[[Window], bool]) -> list[Window]:
        return list(at_most(windows, measurable, limit, counted))

    every = chosen(lambda window: True)
    return {
        "cosine": mean([cosine(predicted(predict, w.context, w.target), w.target) for w in every]),
        "windows": len(every),
        "A": offset_sweep(predict, chosen(has_all_offsets)),
        "B": {
            "all": {
                **retrieval(predict, every),
                "skipped_articles": sum(len(rows) < 6 for _, rows in articles),
            }
        },
        "C": ablations(predict, every),
        "D": rollout(predict, chosen(has_all_steps)),
        "E": coherence_bins(predict, every),
    }


def at_most(
    windows: Sequence[Window], measurable: Callable[[Window], bool], limit: int | None, counted: Counted
) -> Iterator[Window]:
    """The windows a test measures, in order."""
    taken = 0
    for window in windows:
        if limit is not None and taken >= limit:
            return
        if measurable(window):
            yield window
        if measurable(window) or counted == "read":
            taken += 1


# --- A


def has_all_offsets(window: Window) -> bool:
    return window.has(*(window.t + k for k in OFFSETS))


def offset_sweep(predict: Predict, windows: Sequence[Window]) -> dict[str, Any]:
    """s(k) = cos(p, x_{t+k}) for k = -3 … +3; the margin is that of k = +1, the row after the target."""
    similarities: dict[int, list[float]] = {k: [] for k in OFFSETS}
    for window in windows:
        p = predicted(predict, window.context, window.target)
        for k in OFFSETS:
            similarities[k].append(cosine(p, window.rows[window.t + k]))
    curve = {k: mean(values) for k, values in similarities.items()}
    return {
        "offsets": {offset_name(k): value for k, value in curve.items()},
        "margin": difference(curve[1], largest(value for k, value in curve.items() if k != 1)),
        "windows": len(windows),
    }


# --- B


def retrieval(predict: Predict, windows: Sequence[Window]) -> dict[str, Any]:
    """rank = 1 + the rows of the article whose similarity is above the target's own, computed apart."""
    ranks, counts, duplicates = [], [], 0
    for window in windows:
        p = predicted(predict, window.context, window.target)
        similarities = short(window.rows) @ short(p[None])[0]
        above = int((similarities > cosine(p, window.target)).sum())
        ranks.append([1 + above if p.any() else len(window.rows)])
        counts.append(len(window.rows))
        duplicates += int((window.rows == window.target).all(axis=1).sum()) > 1
    return {
        **recalls(ranks),
        "chance_r1": mean([1 / count for count in counts]),
        "chance_r5": mean([5 / count for count in counts]),
        "chance_mrr": mean([sum(1 / rank for rank in range(1, count + 1)) / count for count in counts]),
        "windows": len(windows),
        "duplicates": duplicates,
    }


# --- C


def ablations(predict: Predict, windows: Sequence[Window]) -> dict[str, Any]:
    """mean cos(model(ablated c), x_t) less mean cos(model(c), x_t)."""
    rng = random.Random(SEED)
    deltas: dict[str, list[float]] = {name: [] for name in ("shuffle", "reverse", "leave_one_out", "repeat", "foreign")}
    for window in windows:
        whole = cosine(predicted(predict, window.context, window.target), window.target)
        for name, contexts in ablated(window.context, rng).items():
            after = [cosine(predicted(predict, context, window.target), window.target) for context in contexts]
            deltas[name].append(sum(after) / len(after) - whole)
    return {**{name: mean(values) for name, values in deltas.items()}, "windows": len(windows)}


def ablated(c: Array, rng: random.Random) -> dict[str, list[Array]]:
    """The contexts that stand in for c; draws one shuffle."""
    perm = list(range(CONTEXT))
    rng.shuffle(perm)
    return {
        "shuffle": [c[perm]],
        "reverse": [c[::-1]],
        "leave_one_out": [np.stack([*(row for j, row in enumerate(c) if j != i), c[-1]]) for i in range(CONTEXT)],
        "repeat": [np.stack([c[-1]] * CONTEXT)],
        "foreign": [np.stack([*c[:-1], c[0]])],
    }


# --- D


def has_all_steps(window: Window) -> bool:
    return window.has(*(window.t + h for h in range(1, HORIZON + 1)))


def rollout(predict: Predict, windows: Sequence[Window]) -> dict[str, Any]:
    """cos(p_h, x_{t+h}), h = 1 … H: each step beside the row after the one it predicts."""
    curve: list[list[float]] = [[] for _ in range(HORIZON)]
    for window in windows:
        context = window.context
        for h in range(1, HORIZON + 1):
            p = predicted(predict, context, window.rows[window.t + h - 1])
            curve[h - 1].append(cosine(p, window.rows[window.t + h]))
            context = np.stack([*context[1:], p])
    return {
        "score": mean([value for step in curve for value in step]),
        "curve": [mean(step) for step in curve],
        "windows": len(windows),
    }


# --- E


def coherence_bins(predict: Predict, windows: Sequence[Window]) -> dict[str, Any]:
    """cos(p, x_t) and count by the coherence of the context."""
    bins: dict[str, list[float]] = {"low": [], "normal": [], "high": []}
    for window in windows:
        c = window.context
        coherence = sum(cosine(c[i], c[i + 1]) for i in range(CONTEXT - 1)) / (CONTEXT - 1)
        bins[bin_of(coherence)].append(cosine(predicted(predict, c, window.target), window.target))
    return {name: {"cosine": mean(values), "windows": len(values)} for name, values in bins.items()}


# --- vectors


def cosine(a: Array, b: Array) -> float:
    return float(a @ b / ((np.linalg.norm(a) + 1e-9) * (np.linalg.norm(b) + 1e-9)))


def short(rows: Array) -> Array:
    """Rows divided by their norms + 1e-9, in their own precision."""
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9)


def predicted(predict: Predict, context: Array, target: Array) -> Array:
    """p = normalise(model(c)), in the precision of the rows; a vector of norm 0 is left as it is."""
    p = np.asarray(predict(context, target), context.dtype)
    norm = np.linalg.norm(p)
    return p / norm if norm > 0 else p
