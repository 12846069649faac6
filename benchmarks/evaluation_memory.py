"""How much memory an evaluation takes as windows grow: a toy model on corpora of articles of 30 rows, D = 64.

    python benchmarks/evaluation_memory.py [--windows 100000 300000 1000000] [--yardsticks] [--json]

Each size is evaluated in a process of its own: the corpus file is memory-mapped, a toy amn goes through the five tests
with gain and direction, intervals and gates, and its per-window figures are written, as `lvm eval` does. Peak is that
of the whole process (ru_maxrss), pages of the mapped file among them. --yardsticks measures the yardsticks beside it.
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
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lvmcore import Corpus, CorpusInfo, save_corpus
from lvmcore.device import processor_name
from lvmcore.evaluation.evaluator import Evaluator, save_columns
from lvmcore.evaluation.predictors import predictor_of_model
from lvmcore.evaluation.settings import Settings
from lvmcore.model import build_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import default_files, load_catalogue

CONTEXT = 5
DIM, ROWS = 64, 30
TRAINING = 1000
"""Articles that the yardsticks are fit on."""


def write_corpus(path: Path, windows: int) -> None:
    """Half the windows of VAL, half of OOD; rows drift about the topic of their article."""
    held = -(-windows // (ROWS - CONTEXT))
    articles = TRAINING + held
    random = np.random.default_rng(0)
    vectors = np.empty((articles, ROWS, DIM), np.float16)
    for i in range(articles):
        vectors[i] = random.normal(size=DIM) + random.normal(size=(ROWS, DIM))
    splits = np.zeros(articles, np.uint8)
    splits[TRAINING:], splits[TRAINING + held // 2 :] = 1, 2
    save_corpus(path, vectors.reshape(-1, DIM), np.arange(articles + 1) * ROWS, splits, CorpusInfo(name=path.stem))


def evaluate(path: Path, yardsticks: bool) -> dict[str, Any]:
    """One evaluation in this process, from opening the corpus to writing the windows' figures."""
    began = time.perf_counter()
    registry = Registry(Plugins(only=()))
    corpus = Corpus.open(path)
    torch.manual_seed(0)
    model = build_model("amn", "", corpus.dim, CONTEXT, registry, size="toy").eval()
    evaluator = Evaluator(corpus, registry, load_catalogue(default_files()), Settings(yardsticks=yardsticks))
    found = evaluator.evaluate(predictor_of_model("amn", model))
    save_columns(path.with_name("windows.safetensors"), found)
    return {
        "windows": sum(split["windows"] for split in found.document["splits"].values()),
        "seconds": time.perf_counter() - began,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure(windows: int, yardsticks: bool) -> dict[str, Any]:
    """One size in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.safetensors"
        write_corpus(path, windows)
        command = [sys.executable, __file__, "--corpus", str(path), *(["--yardsticks"] if yardsticks else [])]
        env = {**os.environ, "LVM_CACHE": str(Path(folder) / "cache")}
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--yardsticks", action="store_true", help="with the yardsticks, none of them kept from before")
    parser.add_argument("--corpus", type=Path, help="evaluate this corpus in this process, and print its JSON")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.corpus is not None:
        print(json.dumps(evaluate(asked.corpus, asked.yardsticks)))
        return
    machine = {"processor": processor_name(), "threads": torch.get_num_threads(), "torch": torch.__version__}
    if not asked.json:
        print(f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}, {platform.system()}\n")
        print("| windows | seconds | peak, MB |\n|---|---|---|", flush=True)
    results = []
    for windows in asked.windows:
        results.append(found := measure(windows, asked.yardsticks))
        if not asked.json:
            print(f"| {found['windows']:,} | {found['seconds']:.0f} | {found['peak_mb']:.0f} |", flush=True)
    if asked.json:
        print(json.dumps({"machine": machine, "yardsticks": asked.yardsticks, "results": results}, indent=1))


if __name__ == "__main__":
    main()
