"""The batched evaluation beside one window at a time, and beside the model's forward passes alone, in windows/s.

    python benchmarks/evaluation_speed.py [--windows 1000] [--rounds 3] [--all] [--json]
    python benchmarks/evaluation_speed.py --device cuda --windows 100000 \\
        --data 'world,articles=26000,length=45,dim=384'    # that of a GPU

* evaluation: the five tests of 5CAT with gain and direction, as `lvm eval` measures them: per-window figures, without
  the yardsticks and the bootstrap;
* floor: the 14 forward passes a window that the tests need (1 base, 1 reversed, 1 shuffled, 5 with a row left out, 1
  repeated, 1 foreign, 4 of the rollout), in the same batches, each on contexts of its own that are there beforehand,
  and nothing else;
* 18 calls: as many forward passes of batch one a window, as the tool behind the comparison of 2025-11-02 made them, and
  nothing else; measured on --single windows, as is the next;
* one by one: the five tests of `5cat-2025` as that tool had them, window by window, with these calls (and one more for
  the mean cosine): the plain loop of tests/lvmcore/evaluation/plain_5cat_2025.py.

The four take turns in one process; the first round warms up and is not counted. Weights are fresh: they do not
matter to speed. bf16 is measured where the processor multiplies it natively, or with --all.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.data.windows import Windows
from lvmcore.device import autocast, facts, find, processor_name, resolve
from lvmcore.evaluation.checks import checks_of
from lvmcore.evaluation.measurement import columns_of
from lvmcore.evaluation.predictors import BASELINE, of_role, predictor_of_model, term_of, yardstick
from lvmcore.evaluation.protocols import DEFAULT, protocol_of
from lvmcore.evaluation.settings import BATCH
from lvmcore.model import LatentVectorModel, build_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

# the plain loop is the tests' reference
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lvmcore" / "evaluation"))
import plain_5cat_2025 as plain
from agreement import numbers_of, one_at_a_time

ARCHITECTURES = ("transformer", "amn")
CONTEXT = 5
FORWARDS, CALLS = 14, 18


def seconds(work: Callable[[], object], cpu: bool) -> float:
    """How long it takes by the clock, or by the processor's time of this process."""
    clock = time.process_time if cpu else time.perf_counter
    began = clock()
    work()
    return clock() - began


@torch.inference_mode()
def floor(model: LatentVectorModel, windows: Windows, precision: str, cpu: bool) -> float:
    """Seconds of the evaluation's forward passes alone."""

    def passes(contexts: list[Tensor]) -> None:
        made = contexts[0]
        for context in contexts:
            with autocast(precision, context.device.type):
                made = model(context)
        made.flatten()[0].item()  # which waits until all are done

    spent = 0.0
    for batch in windows.batches(BATCH):
        # one that stays in the processor's cache would be faster than any evaluation's
        contexts = [batch.context.clone() for _ in range(FORWARDS)]
        spent += seconds(partial(passes, contexts), cpu)
    return spent


@torch.inference_mode()
def calls(model: LatentVectorModel, windows: Windows, precision: str) -> None:
    for batch in windows.batches(1):
        made = batch.context
        for _ in range(CALLS):
            with autocast(precision, made.device.type):
                made = model(batch.context)
        made.flatten()[0].item()


def one_by_one(predict: plain.Predict, articles: list[tuple[int, plain.Array]], windows: int) -> None:
    """The whole evaluation, window by window."""
    plain.evaluate_split(predict, articles, windows, "read")


def measure(arch: str, precision: str, corpus: Corpus, registry: Registry, asked: argparse.Namespace) -> dict[str, Any]:
    """Windows/s of the four by round, the warm-up left out."""
    torch.manual_seed(0)
    model = build_model(arch, "", corpus.dim, CONTEXT, registry).to(corpus.device).eval()
    predictor = predictor_of_model(arch, model, precision)
    filter = yardstick(term_of(of_role(registry, BASELINE)), corpus, registry).predict
    checks = checks_of(protocol_of(DEFAULT, registry).protocol, registry, CONTEXT)
    whole = corpus.windows("val", CONTEXT)
    windows = attrs.evolve(whole, targets=whole.targets[: asked.windows])
    single = attrs.evolve(whole, targets=whole.targets[: asked.single])
    rows = [corpus.rows(torch.arange(*corpus.starts[i : i + 2].tolist())).numpy() for i in numbers_of(corpus, "val")]
    here = corpus.device
    predict = one_at_a_time(lambda rows, target: predictor.predict(rows.to(here), target.to(here)).float().cpu())
    rounds = [
        (
            len(windows) / seconds(lambda: columns_of(predictor, windows, checks, filter=filter), asked.cpu_time),
            len(windows) / floor(model, windows, precision, asked.cpu_time),
            len(single) / seconds(lambda: calls(model, single, precision), asked.cpu_time),
            len(single) / seconds(lambda: one_by_one(predict, list(enumerate(rows)), len(single)), asked.cpu_time),
        )
        for _ in range(asked.rounds + 1)
    ][1:]
    evaluation, alone, called, singly = (list(side) for side in zip(*rounds, strict=True))
    return {
        "model": arch,
        "precision": precision,
        "windows": len(windows),
        "single": len(single),
        "evaluation": evaluation,
        "floor": alone,
        "calls": called,
        "one_by_one": singly,
        "of_floor": [b / a for a, b in zip(evaluation, alone, strict=True)],
        "over_calls": [a / b for a, b in zip(evaluation, called, strict=True)],
        "over_one_by_one": [a / b for a, b in zip(evaluation, singly, strict=True)],
    }


def row(found: dict[str, Any]) -> str:
    """A line of the Markdown table: medians, and the least and the greatest ratio of a round."""
    speeds = " | ".join(
        f"{statistics.median(found[key]):.0f}" for key in ("evaluation", "floor", "calls", "one_by_one")
    )
    ratios = " | ".join(
        f"{statistics.median(found[key]):.{digits}f} ({min(found[key]):.{digits}f} … {max(found[key]):.{digits}f})"
        for key, digits in (("of_floor", 2), ("over_calls", 1), ("over_one_by_one", 1))
    )
    return f"| {found['model']} | {found['precision']} | {speeds} | {ratios} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--single", type=int, default=20, help="windows evaluated one at a time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arch", choices=ARCHITECTURES)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps, auto")
    parser.add_argument("--data", default="wiki", help="a corpus file, or a corpus by name")
    parser.add_argument("--all", action="store_true", help="bf16 also where the processor has no native product")
    parser.add_argument(
        "--cpu-time", action="store_true", help="on a busy machine: the processor's time, in one thread"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    registry = Registry(Plugins(only=()))
    device = find(asked.device)
    corpus = open_corpus(asked.data, registry).on(device)
    if asked.cpu_time:
        torch.set_num_threads(1)
    precisions = ["fp32", "bf16"] if asked.all or resolve("auto", device) == "bf16" else ["fp32"]
    machine: dict[str, Any] = {"processor": processor_name(), "threads": torch.get_num_threads()}
    machine |= {"torch": torch.__version__, "device": facts(device)}
    note = f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}, {platform.system()}"
    note += "" if device == "cpu" else f"; {device}: {machine['device']['name']}"
    if not asked.json:
        print(f"{note}; medians of {asked.rounds} rounds, windows/s{' of processor time' * asked.cpu_time}\n")
        print("| model | precision | evaluation | floor | 18 calls | one by one", end=" | ")
        print("time / floor's | × 18 calls | × one by one |\n|---|---|---|---|---|---|---|---|---|", flush=True)
    results = []
    for arch in ARCHITECTURES if asked.arch is None else [asked.arch]:
        for precision in precisions:
            results.append(measure(arch, precision, corpus, registry, asked))
            if not asked.json:
                print(row(results[-1]), flush=True)
    if asked.json:
        print(json.dumps({"machine": machine, "rounds": asked.rounds, "results": results}, indent=1))


if __name__ == "__main__":
    main()
