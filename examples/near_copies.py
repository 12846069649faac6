"""How many targets of a held-out split are nearly a row of training, so that to remember it would be to know them.

    python examples/near_copies.py factbook wiki kjv
    python examples/near_copies.py mine.safetensors --threshold 0.9

`lvm data inspect` counts rows that stand anywhere else, from a cosine of 0.95 on; this asks of targets and training.
"""

from __future__ import annotations

import argparse
import sys

import torch
from torch import Tensor

from lvmcore import Corpus, Lab, LvmError, Windows

BLOCK = 2048  # rows that are compared at a time


def near_copies(windows: Windows, threshold: float) -> Tensor:
    """Which targets have a row of the split `train`, of any article, at a cosine above the threshold (W,) bool.

    The windows without them are `attrs.evolve(windows, targets=windows.targets[:][~found])`.
    """
    corpus = windows.corpus
    training = corpus.rows_of("train")[:]
    highest = [_highest(batch.target, corpus, training) for batch in windows.batches(BLOCK)]
    return torch.cat([torch.empty(0), *highest]) > threshold


def _highest(targets: Tensor, corpus: Corpus, rows: Tensor) -> Tensor:
    """The highest cosine of each target (B, D) with one of the rows (B,); −1 where there is none."""
    found = targets.new_full((len(targets),), -1.0)
    for part in rows.split(BLOCK):
        found = torch.maximum(found, (targets @ corpus.rows(part).T).amax(1))
    return found.cpu()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="corpora, by name or file")
    parser.add_argument("--threshold", type=float, default=0.8, help="the cosine above which one is nearly the other")
    asked = parser.parse_args()
    try:
        for data in asked.data:
            corpus = Lab().corpus(data)
            for split in ("val", "ood"):
                found = near_copies(corpus.windows(split), asked.threshold)
                share = f"{found.double().mean():.1%}" if len(found) else "none"
                print(f"{data} {split}: {int(found.sum()):,} of {len(found):,} targets, {share}")
    except LvmError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
