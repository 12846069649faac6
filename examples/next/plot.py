"""The frontier: what a candidate has over the best cheat at cosine, and over the best at retrieval, on VAL.

python examples/next/plot.py    # results → frontier.png; needs the extra `report`
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from tables import CORPORA, HERE, candidates, difference

DIAL = ("next-text", "rank-0.03", "rank-0.1", "rank-0.3", "rank-1", "rank-3", "rank-alone")
"""The candidates that one line joins: more and more of `rank`."""
CHANGES = ("with-", "without-")
"""How changes of `next` begin: small points without a label, as their table has them."""


def main() -> None:
    shown = [corpus for corpus in CORPORA if candidates(corpus)]
    figure, axes = plt.subplots(1, len(shown), figsize=(5.2 * len(shown), 4.8), layout="constrained", squeeze=False)
    for axis, corpus in zip(axes[0], shown, strict=True):
        panel(axis, corpus)
    axes[0][0].set_ylabel("dCL: R@5 unseen less `copy-last`, points")
    figure.savefig(HERE / "frontier.png", dpi=110)


def panel(axis: Axes, corpus: str) -> None:
    """One corpus: a point a candidate, with its intervals."""
    held = candidates(corpus)
    points = {}
    for idea, runs in held.items():
        across, up = difference(runs, "val", "filter", "cosine"), difference(runs, "val", "copy-last", "r5")
        if across and up:
            up = (100 * up[0], 100 * up[1], 100 * up[2])
            points[idea] = across[0], up[0]
            small = idea.startswith(CHANGES)
            colour = "0.6" if small else "tab:blue" if idea in DIAL else "tab:orange"
            spans = [[[value - low], [high - value]] for value, low, high in (across, up)]
            axis.errorbar(
                across[0], up[0], xerr=spans[0], yerr=spans[1], fmt="o", color=colour, elinewidth=0.8,
                markersize=3 if small else 5, alpha=0.7,
            )  # fmt: skip
            if not small:
                axis.annotate(idea, (across[0], up[0]), xytext=(5, 4), textcoords="offset points", fontsize=8)
    line = [points[idea] for idea in DIAL if idea in points]
    if len(line) > 1:
        axis.plot(*zip(*line, strict=True), color="tab:blue", linewidth=0.8, alpha=0.5)
    axis.axhline(0, color="0.4", linewidth=0.8)
    axis.axvline(0, color="0.4", linewidth=0.8)
    axis.set(title=corpus, xlabel="dF: cosine less `filter`")
    axis.grid(alpha=0.3)


if __name__ == "__main__":
    main()
