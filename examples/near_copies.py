"""How many targets of a held-out split are nearly a row of training, so that to remember it would be to know them.

    python examples/near_copies.py factbook wiki kjv
    python examples/near_copies.py mine.safetensors --threshold 0.9
    python examples/near_copies.py factbook --model next    # and how the run evaluates on the targets that are left

`lvm data inspect` counts rows that stand anywhere else, from a cosine of 0.95 on; this asks of targets and training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import attrs
import torch
from torch import Tensor

from lvmcore import Corpus, Evaluation, Lab, LvmError, Windows
from lvmcore.evaluation.evaluator import CAUSAL, Evaluator
from lvmcore.evaluation.predictors import predictor_of_model
from lvmcore.evaluation.settings import Settings
from lvmcore.prediction.search import nearest

BLOCK = 2048  # targets that are looked for at a time


def near_copies(windows: Windows, threshold: float) -> Tensor:
    """Which targets have a row of the split `train`, of any article, at a cosine above the threshold (W,) bool.

    The windows without them are `attrs.evolve(windows, targets=windows.targets[:][~found])`.
    """
    corpus = windows.corpus
    held_out = torch.cat([corpus.rows_of(split)[:] for split in ("val", "ood")])
    nearest_row = (nearest(corpus, batch.target, 1, without=held_out)[0] for batch in windows.batches(BLOCK))
    return torch.cat([torch.empty(0, dtype=torch.bool), *((cosine > threshold).any(1) for cosine in nearest_row)])


def without_copies(lab: Lab, corpus: Corpus, model: str, threshold: float) -> Evaluation:
    """5CAT of a run on the targets that are no near copies, the cheats beside it on the same; all by `causal`."""
    evaluator = Evaluator(corpus, lab.registry, lab.catalogue, Settings(profile=CAUSAL, keep_yardsticks=False))
    for split, windows in evaluator.windows.items():
        kept = windows.targets[:][~near_copies(windows, threshold)]
        evaluator.windows[split] = attrs.evolve(windows, targets=kept)
    return evaluator.evaluate(predictor_of_model(model, lab.load(model).eval()))


def told(evaluation: Evaluation) -> Iterator[str]:
    """How many tests passed, and the least difference from a cheat in each figure that is compared with them."""
    gates = evaluation.document[CAUSAL]
    yield f"{gates['passed']}/{gates['of']} of {CAUSAL}" + "".join(f"; {why}" for why in gates["why"].values())
    for split, differences in evaluation.document["differences"].items():
        for figure in ("A.cosine", "B.unseen.r5", "D.score"):
            found = {cheat: held[figure] for cheat, held in differences.items()}
            measured = {cheat: held for cheat, held in found.items() if held["value"] is not None}
            if measured:
                cheat = min(measured, key=lambda name: measured[name]["value"])
                ends = [f"{measured[cheat][end]:+.4f}" for end in ("low", "high") if measured[cheat][end] is not None]
                least = f"{measured[cheat]['value']:+.4f} [{', '.join(ends) or 'too few articles'}]"
                yield f"{split} {figure}: {least} to {cheat}, the nearest cheat"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="corpora, by name or file")
    parser.add_argument("--threshold", type=float, default=0.8, help="the cosine above which one is nearly the other")
    parser.add_argument("--model", metavar="RUN", help="evaluate this run on the targets that are left")
    parser.add_argument("--runs", default="runs", metavar="DIR", help="the folder of runs")
    asked = parser.parse_args()
    try:
        for data in asked.data:
            corpus = Lab().corpus(data)
            for split in ("val", "ood"):
                found = near_copies(corpus.windows(split), asked.threshold)
                share = f"{found.double().mean():.1%}" if len(found) else "none"
                print(f"{data} {split}: {int(found.sum()):,} of {len(found):,} targets, {share}")
            if asked.model:
                print(*told(without_copies(Lab(asked.runs), corpus, asked.model, asked.threshold)), sep="\n")
    except LvmError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
