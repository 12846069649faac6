"""Draws the phase diagram from results.csv: gates passed, cosine over the context's mean, margin."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
from train import KNOWN, LOSSES, SIGNALS, read

FIGURES = {"over_mean": "cosine less that of the context's mean, VAL", "margin": "margin, VAL"}


def main() -> None:
    rows = {(float(row["signal"]), row["model"]): row for row in read()}
    models = (*reversed(LOSSES), *KNOWN)
    figure, (gates, *curves) = plt.subplots(1, 3, figsize=(17, 5), layout="constrained")
    passed = [[int(rows[signal, model]["passed"]) for signal in SIGNALS] for model in models]
    gates.imshow(passed, vmin=0, vmax=5, cmap="YlGn", aspect="auto", origin="lower")
    for y, model in enumerate(models):
        for x, signal in enumerate(SIGNALS):
            text = rows[signal, model]["letters"] or "–"
            gates.text(x, y, text, ha="center", va="center", fontsize=8, color="white" if len(text) > 3 else "black")
    gates.axhline(len(LOSSES) - 0.5, color="black", linewidth=1)
    gates.set_xticks(range(len(SIGNALS)), [f"{signal:g}" for signal in SIGNALS])
    gates.set_yticks(range(len(models)), models)
    gates.set_title("letters of `strict` passed; below the line by training")
    for axes, (name, title) in zip(curves, FIGURES.items(), strict=True):
        for model in (*LOSSES, *KNOWN):
            values = [float(rows[signal, model][name]) for signal in SIGNALS]
            known = model in KNOWN
            style, colour = ("--", f"C{KNOWN.index(model) + 5}") if known else ("o-", f"C{LOSSES.index(model)}")
            axes.plot(SIGNALS, values, style, color=colour, label=model, linewidth=1.2, markersize=4)
        axes.axhline(0, color="grey", linewidth=0.5)
        axes.set_title(title)
    curves[0].legend(fontsize=8)
    for axes in (gates, *curves):
        axes.set_xlabel("signal")
    figure.savefig(Path(__file__).parent / "diagram.png", dpi=110)


if __name__ == "__main__":
    main()
