"""Val cosine and margin against the guard's weight, from the scan in results/; needs the extra `report`.

python examples/reproduction/plot.py    # results/scan → scan.png
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
from tables import results, weight_of

STARTS = {"first": "tab:blue", "fourth": "tab:orange"}


def main() -> None:
    runs = {label: run.epochs for label, (run,) in results("scan").items()}
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for axis, name, title in zip(axes, ("val_cos", "margin"), ("val cosine", "margin"), strict=True):
        for start, colour in STARTS.items():
            held = {weight_of(label): epochs for label, epochs in runs.items() if label.startswith(start)}
            held[0.0] = runs["first-0.0"]
            weights = sorted(held)
            last = [held[weight][-1][name] for weight in weights]
            axis.plot(weights, last, "o-", color=colour, label=f"guard from the {start} epoch")
            if name == "val_cos":
                lowest = [min(epoch[name] for epoch in held[weight][3:]) for weight in weights]
                axis.plot(weights, lowest, "x--", color=colour, alpha=0.6, label="its lowest from epoch 4 on")
        ticks = sorted({weight_of(label) for label in runs})
        axis.set_xscale("symlog", linthresh=0.001)
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        axis.set(title=f"{title} after 8 epochs on wiki", xlabel="weight of `dir,margin=0.03`")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(Path(__file__).parent / "scan.png", dpi=110)


if __name__ == "__main__":
    main()
