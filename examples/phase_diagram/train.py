"""Trains the grid of the phase diagram: signal strength × loss on small planted worlds. Resumable; run by hand.

python examples/phase_diagram/train.py    # what results.csv lacks
python examples/phase_diagram/plot.py     # results.csv → diagram.png
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lvmcore import Evaluation, Lab

RESULTS = Path(__file__).parent / "results.csv"
WORLD = "world,articles=100,length=40,dim=64,latent=12,topic=0.65,seed=2"
SMALLER: dict[str, Any] = {"arch": "transformer:64,heads=4,layers=2,dropout=0,norm=pre", "batch_size": 32}
"""The variant `planted` at a size that fits these worlds."""
SIGNALS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
LOSSES = ("mse", "mse+dir:0.002", "mse+dir:0.01", "mse+dir:0.05", "mse+ac:0.01")
KNOWN = ("dynamics", "ridge", "filter", "context-mean")
"""Predictors that need no training, measured on the same worlds for comparison."""
COLUMNS: tuple[str, ...] = (
    "signal",
    "model",
    "passed",
    "letters",
    "cosine",
    "over_mean",
    "margin",
    "direction",
    "shuffle",
    "seconds",
)


def main() -> None:
    done = {(row["signal"], row["model"]) for row in read()}
    for signal in SIGNALS:
        for model in (*KNOWN, *LOSSES):
            if (f"{signal}", model) in done:
                continue
            began = time.perf_counter()
            found = (known if model in KNOWN else trained)(model, f"{WORLD},signal={signal}")
            row = {"signal": signal, "model": model, **summary(found)}
            write({**row, "seconds": f"{time.perf_counter() - began:.1f}"})
            print(row, flush=True)


def trained(loss: str, data: str) -> Evaluation:
    """The evaluation of `planted` with another loss."""
    with tempfile.TemporaryDirectory() as folder:
        run = Lab(folder, progress=False).train("planted", loss=loss, data=data, **SMALLER)
        assert run.evaluation is not None
        return run.evaluation


def known(name: str, data: str) -> Evaluation:
    return Lab(progress=False).evaluate(name, data, gates="strict")


def summary(found: Evaluation) -> dict[str, Any]:
    """Gates of `strict`, VAL and OOD together, and figures on VAL."""
    val, mean = found["val"], found.yardsticks["context-mean"]["val"]
    figures = {
        "cosine": val["cosine"].value,
        "over_mean": val["cosine"].value - mean["cosine"].value,
        "margin": val["A"]["margin"].value,
        "direction": val["A"]["direction"].value,
        "shuffle": val["C"]["shuffle"].value,
    }
    letters = "".join(letter for letter in "ABCDE" if found.gates[letter])
    told = {name: f"{value:.4f}" for name, value in figures.items()}
    return {"passed": found.gates["passed"], "letters": letters, **told}


def read() -> Iterator[dict[str, str]]:
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            yield from csv.DictReader(file)


def write(row: dict[str, Any]) -> None:
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
