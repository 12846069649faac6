"""The frontier: what a candidate has over the best cheat of cosine, and over the best of retrieval, on VAL.

python examples/next/plot.py    # results → frontier.png, scaling.png; needs the extra `report`
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tables import CORPORA, DIAL, HERE, P1, Interval, candidates, difference, parts, results

NAMED = (
    *DIAL, "next", "P1", "gate-alone", "last-rank-0.3", "context-10", "deep-rank-0.6", "with-transformer", "p1-20",
    "without-correction",
)  # fmt: skip
"""The points that bear a name; what the others are stands in the tables."""
RIDGE = ("factbook",)
"""Corpora whose order can be learnt: there `ridge` is the best cheat of both."""


def main() -> None:
    shown = [corpus for corpus in CORPORA if candidates(corpus)]
    lines = -(-len(shown) // 2)
    figure, axes = plt.subplots(lines, 2, figsize=(13, 5 * lines), layout="constrained", squeeze=False)
    for axis, corpus in zip(axes.flat, shown, strict=False):
        panel(axis, corpus)
    for axis in axes.flat[len(shown) :]:
        axis.set_axis_off()
    figure.savefig(HERE / "frontier.png", dpi=110)
    scaling("novels").savefig(HERE / "scaling.png", dpi=110)


def panel(axis: Axes, corpus: str) -> None:
    """One corpus: a point a candidate, with its intervals; some names stand beside, in the order of the points."""
    points: dict[str, tuple[float, float]] = {}
    for idea, runs in candidates(corpus).items():
        found = place(corpus, runs)
        if found:
            (across, up), small = found, idea not in NAMED
            points[idea] = across[0], up[0]
            colour = "0.6" if small else "tab:blue" if idea in DIAL else "tab:orange"
            spans = [[[value - low], [high - value]] for value, low, high in (across, up)]
            axis.errorbar(
                across[0], up[0], xerr=spans[0], yerr=spans[1], fmt="o", color=colour, elinewidth=0.8,
                markersize=3 if small else 5, alpha=0.7,
            )  # fmt: skip
    line = [points[idea] for idea in DIAL if idea in points]
    if len(line) > 1:
        axis.plot(*zip(*line, strict=True), color="tab:blue", linewidth=0.8, alpha=0.5)
    axis.axhline(0, color="0.4", linewidth=0.8)
    axis.axvline(0, color="0.4", linewidth=0.8)
    yardstick = [found for name in P1 for found in [place(corpus, results(corpus).get(name, []))] if found]
    title = corpus
    for across, up in yardstick[:1]:
        left, right = axis.get_xlim()
        if across[0] > left - (right - left):
            axis.plot(across[0], up[0], "s", color="black", markersize=5)
            points["P1"] = across[0], up[0]
        else:
            title += f"; P1 outside of it, at ({across[0]:+.3f}, {up[0]:+.1f})".replace("-", "−")
    axis.set_title(title, fontsize=10)
    across, up = best_cheats(corpus)
    axis.set(xlabel=f"cosine less {across}", ylabel=f"R@5 unseen less {up}, points")
    axis.grid(alpha=0.3)
    name_all(axis, points)


def scaling(corpus: str) -> Figure:
    """dF and dCL on VAL over the number of training windows, a line a loss, with intervals."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
    labels = ("dF", "cosine less filter", 1), ("dCL", "R@5 unseen less copy-last, points", 100)
    for axis, (key, label, scale) in zip(axes, labels, strict=True):
        for loss in dict.fromkeys(point["loss"] for point in parts(corpus)):
            held = [point for point in parts(corpus) if point["loss"] == loss]
            value, low, high = (
                scale * np.array([point["val"][key][end] for point in held]) for end in ("value", "low", "high")
            )
            spans = value - low, high - value
            axis.errorbar([point["windows"] for point in held], value, yerr=spans, fmt="o-", label=loss, capsize=2)
        axis.axhline(0, color="0.4", linewidth=0.8)
        axis.set(xscale="log", xlabel=f"training windows of {corpus}", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].legend()
    return figure


def best_cheats(corpus: str) -> tuple[str, str]:
    """That of cosine and that of retrieval."""
    return ("ridge", "ridge") if corpus in RIDGE else ("filter", "copy-last")


def place(corpus: str, runs: list[dict[str, Any]]) -> tuple[Interval, Interval] | None:
    """Where a candidate stands on VAL: across by cosine, up by R@5 in points."""
    cosine, retrieval = best_cheats(corpus)
    across, up = difference(runs, "val", cosine, "cosine"), difference(runs, "val", retrieval, "r5")
    return (across, (100 * up[0], 100 * up[1], 100 * up[2])) if across and up else None


def name_all(axis: Axes, points: dict[str, tuple[float, float]]) -> None:
    """Names at the right, each as high as its point unless the one below is too near."""
    axis.autoscale_view()  # else the limits are not yet those of the picture
    below, high = -1.0, axis.transData + axis.transAxes.inverted()
    for idea, point in sorted(points.items(), key=lambda item: item[1][1]):
        if idea not in NAMED:
            continue
        below = max(below + 0.04, float(high.transform(point)[1]))
        axis.annotate(
            idea, point, xytext=(1.02, below), textcoords="axes fraction", fontsize=8, va="center",
            arrowprops={"arrowstyle": "-", "color": "0.7", "linewidth": 0.5, "shrinkB": 3},
        )  # fmt: skip


if __name__ == "__main__":
    main()
