"""What a larger corpus costs: opening it, steps/s of an amn, private memory; articles of 30 rows, D = 384, float16.

    python benchmarks/corpus_size.py [--rows 10000 100000 1000000 10000000] [--folder DIR] [--shards 1] [--json]

Each size is written (768 bytes a row: 7.7 GB at 10⁷; --folder says where), then opened, trained and evaluated in a
process of its own, and deleted. An amn (batch 64) makes 300 steps on windows spread over all of the corpus, in the
order that the sampler gives, and then the same steps again: the first time the pages of the file must be brought in,
and the second time they are there, so that the difference is page faults and nothing else. After each round all of VAL
is validated on; then 2,000 windows of VAL and of OOD go through the evaluation, the yardsticks beside it, none of them
kept from before. Private memory is the greatest RssAnon of /proc/self/status in between: all that is resident and no
page of a file. Speeds are by the clock, and by the processor's time of this process, which other jobs do not slow.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch

from lvmcore import Corpus, CorpusInfo, hookimpl, save_corpus
from lvmcore.data.open import open_corpus
from lvmcore.device import processor_name
from lvmcore.evaluation.evaluator import Evaluator
from lvmcore.evaluation.predictors import predictor_of_model
from lvmcore.evaluation.settings import Settings
from lvmcore.listeners import Listeners
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.training.trainer import Conditions, Trainer
from lvmcore.training.validation import resolve
from lvmcore.variants.catalogue import default_files, load_catalogue

DIM, LENGTH, BLOCK = 384, 30, 2000
BATCH, STEPS, LIMIT = 64, 300, 2000


def write_corpus(path: Path, articles: int, seed: int) -> None:
    """98 % of the articles train, 1 % each val and ood; rows drift about the topic of their article."""
    random = np.random.default_rng(seed)

    def blocks() -> Iterator[np.ndarray]:
        for begin in range(0, articles, BLOCK):
            shape = min(BLOCK, articles - begin), LENGTH, DIM
            rows = random.standard_normal(shape, np.float32) + random.standard_normal((shape[0], 1, DIM), np.float32)
            yield rows.reshape(-1, DIM).astype(np.float16)

    splits = np.zeros(articles, np.uint8)
    held = max(1, articles // 100)
    splits[:held], splits[-held:] = 1, 2
    info = CorpusInfo(name=path.stem, titles=tuple(f"article {i}" for i in range(articles)))
    save_corpus(path, blocks(), np.arange(articles + 1) * LENGTH, splits, info)


class Memory(threading.Thread):
    """Looks at the private memory of this process, twenty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self.start()

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, private_mb())
            time.sleep(0.05)


def private_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


class Rounds:
    """Steps/s and page faults of each round, without the validation after it."""

    def __init__(self) -> None:
        self.speeds: list[float] = []
        self.unhindered: list[float] = []
        self.faults: list[float] = []

    @hookimpl
    def lvm_epoch_started(self) -> None:
        self._faults, self._seconds = _faults(), time.process_time()

    @hookimpl
    def lvm_step_finished(self, step: int) -> None:
        if step == STEPS:
            self.faults.append((_faults() - self._faults) / STEPS)
            self.unhindered.append(STEPS / (time.process_time() - self._seconds))

    @hookimpl
    def lvm_epoch_finished(self, record: dict[str, Any]) -> None:
        self.speeds.append(record["windows_per_second"] / BATCH)


def _faults() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_minflt + used.ru_majflt


def examine(data: str) -> dict[str, Any]:
    """Open, train and evaluate in this process."""
    registry, catalogue = Registry(Plugins(only=())), load_catalogue(default_files())
    before = private_mb()
    began = time.perf_counter()
    corpus: Corpus = open_corpus(data, registry)
    _ = corpus.digest, len(corpus.windows("train"))
    opened = time.perf_counter() - began
    memory, rounds = Memory(), Rounds()
    variant = attrs.evolve(catalogue.variant("base"), arch="amn", batch_size=BATCH, epochs=2)
    stages = resolve(variant, registry, catalogue).stages
    listeners = Listeners(registry.plugins.manager, (rounds,))
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder), "amn", [])
        trainer = Trainer(variant, stages, corpus, registry, run, Conditions(), lambda model, profile: "", listeners)
        (prepared,) = trainer.stages
        order = prepared.sampler(1, torch.Generator().manual_seed(0))[: BATCH * STEPS]
        order = order.repeat(-(-BATCH * STEPS // len(order)))[: BATCH * STEPS]  # a small corpus has fewer windows
        trainer.stages = [attrs.evolve(prepared, sampler=lambda epoch, generator: order, steps=STEPS)]
        model = trainer.train().model
    assert model is not None
    trained, began = memory.peak, time.process_time()
    evaluator = Evaluator(corpus, registry, catalogue, Settings(max_windows=LIMIT, keep_yardsticks=False))
    evaluator.evaluate(predictor_of_model("amn", model))
    return {
        "rows": len(corpus),
        "open": opened,
        "speeds": rounds.speeds,
        "unhindered": rounds.unhindered,
        "faults": rounds.faults,
        "evaluation": time.process_time() - began,
        "before_mb": before,
        "trained_mb": trained,
        "evaluated_mb": memory.peak,
    }


def measure(rows: int, shards: int, folder: Path | None) -> dict[str, Any]:
    """One size in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for number in range(shards):
            write_corpus(Path(place) / f"part-{number:03}.safetensors", rows // LENGTH // shards, number)
        bytes_ = sum(file.stat().st_size for file in Path(place).iterdir())
        data = str(Path(place) / ("part-*.safetensors" if shards > 1 else "part-000.safetensors"))
        command = [sys.executable, __file__, "--corpus", data]
        env = {**os.environ, "LVM_CACHE": str(Path(place) / "cache")}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
        return {**json.loads(done.stdout), "bytes": bytes_, "shards": shards}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10**4, 10**5, 10**6, 10**7])
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the corpora are written; else where temporary files go")
    parser.add_argument("--corpus", help="examine this corpus in this process, and print its JSON")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.corpus is not None:
        print(json.dumps(examine(asked.corpus)))
        return
    machine = {"processor": processor_name(), "threads": torch.get_num_threads(), "torch": torch.__version__}
    heads = ("rows", "file, GB", "opened, s", "steps/s: first, again", "by processor time", "page faults a step")
    heads += ("evaluated, processor s", "private memory, MB: before, trained, evaluated")
    if not asked.json:
        print(f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}, {platform.system()}\n")
        print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    results = []
    for rows in asked.rows:
        results.append(found := measure(rows, asked.shards, asked.folder))
        if not asked.json:
            memory = ", ".join(f"{found[key]:.0f}" for key in ("before_mb", "trained_mb", "evaluated_mb"))
            pairs = [", ".join(f"{value:.0f}" for value in found[key]) for key in ("speeds", "unhindered", "faults")]
            print(
                f"| {found['rows']:,} | {found['bytes'] / 1e9:.2f} | {found['open']:.3f} | {' | '.join(pairs)} | "
                f"{found['evaluation']:.0f} | {memory} |",
                flush=True,
            )
    if asked.json:
        print(json.dumps({"machine": machine, "results": results}, indent=1))


if __name__ == "__main__":
    main()
