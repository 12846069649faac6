"""lvm's training loop beside a plain PyTorch loop of the same model, in windows/s.

    python benchmarks/training_speed.py [--rounds 3] [--steps 20] [--bf16] [--arch amn]

The plain loop has all windows expanded in memory as float32, one loss, fused AdamW and clipping. Both train in turn
in one process; each figure is the median of the rounds, the ratio is taken round by round.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import attrs
import torch

from lvmcore.corpora import open_corpus
from lvmcore.corpus import Corpus
from lvmcore.model import build_model
from lvmcore.plugins import Plugins
from lvmcore.precision import autocast, resolve
from lvmcore.registry import Registry
from lvmcore.runs import Run
from lvmcore.trainer import Conditions, Trainer
from lvmcore.variants import default_files, load_catalogue

CASES = (("transformer", 64), ("amn", 256))
CPU = torch.device("cpu")


def ours(arch: str, batch: int, steps: int, precision: str, corpus: Corpus, registry: Registry) -> float:
    """Windows/s of one epoch of `steps` steps, as the run records it: without validation."""
    base = load_catalogue(default_files()).variant("base")
    variant = attrs.evolve(base, arch=arch, batch_size=batch, epochs=1)
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder), arch, [])
        trainer = Trainer(variant, corpus, registry, run, Conditions(precision=precision), lambda model, profile: "")
        full = trainer.train_windows
        trainer.train_windows = attrs.evolve(full, targets=full.targets[: steps * batch])
        trainer.val_windows = attrs.evolve(trainer.val_windows, targets=trainer.val_windows.targets[:8])
        trainer.train()
        return run.epochs()[0]["windows_per_second"]


def plain(arch: str, batch: int, steps: int, precision: str, corpus: Corpus, registry: Registry) -> float:
    """The same steps, written the obvious way."""
    windows = corpus.windows("train")
    everything = windows.take(torch.arange(min(len(windows), steps * batch)))
    contexts, targets = everything.context.contiguous(), everything.target.contiguous()
    model = build_model(arch, "", corpus.dim, 5, registry).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.01, fused=True)
    began = time.perf_counter()
    for index in torch.randperm(len(targets)).split(batch):
        optimizer.zero_grad()
        with autocast(precision, CPU):
            prediction = model(contexts[index])
        loss = torch.nn.functional.mse_loss(prediction.float(), targets[index])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return len(targets) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--arch", choices=[arch for arch, _ in CASES])
    parser.add_argument("--bf16", action="store_true", help="bf16 also where the processor has no native product")
    asked = parser.parse_args()
    registry = Registry(Plugins(only=()))
    corpus = open_corpus("kjv", registry)
    precisions = ["fp32"] + (["bf16"] if asked.bf16 or resolve("auto", CPU) == "bf16" else [])
    print(f"{torch.get_num_threads()} threads, {asked.rounds} rounds")
    print("| model | precision | lvm windows/s | plain windows/s | lvm / plain (min … max) |\n|---|---|---|---|---|")
    for arch, batch in CASES:
        for precision in precisions if asked.arch in (None, arch) else []:
            pairs = [
                (
                    ours(arch, batch, asked.steps, precision, corpus, registry),
                    plain(arch, batch, asked.steps, precision, corpus, registry),
                )
                for _ in range(asked.rounds + 1)
            ][1:]  # the first round warms up
            first, second = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratios = sorted(a / b for a, b in pairs)
            ratio = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} … {ratios[-1]:.2f})"
            print(f"| {arch}, batch {batch} | {precision} | {first:.0f} | {second:.0f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
