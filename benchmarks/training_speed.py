"""lvm's training loop beside a plain PyTorch loop of the same model, in windows/s.

    python benchmarks/training_speed.py [--rounds 5] [--arch amn] [--all] [--json]
    python benchmarks/training_speed.py --device cuda --batch 64 --batch 256 --batch 4096 --compile   # that of a GPU

Both train in one process, an epoch of the one and an epoch of the other in turn; the first pair warms up and is not
counted. The plain loop is written the obvious way: all windows expanded in memory as float32, a permutation, one
loss, fused AdamW, clipping. lvm's is its own Trainer with a listener on every hook that looks at the terms five times a
second, as the progress bar does; its time is that of the run's records, which leaves validation out. bf16 is
measured where the processor multiplies it natively, or with --all. With --compile each is measured once more with both
models compiled, the plain loop's whole, lvm's as `lvm run --compile` has it.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from lvmcore import hookimpl
from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.device import autocast, facts, find, processor_name, resolve
from lvmcore.listeners import Listeners
from lvmcore.model import build_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.training.stages import prepare
from lvmcore.training.trainer import Conditions, Trainer
from lvmcore.training.validation import resolve as resolve_stages
from lvmcore.variants.catalogue import default_files, load_catalogue

CASES = {"transformer": (64, 1), "amn": (256, 4)}
"""Architecture → batch, epochs a round."""
REFRESH = 0.2


class Plain:
    """The loop that lvm's is held against, on the same windows and the same model class."""

    def __init__(
        self, arch: str, batch: int, precision: str, compiled: bool, corpus: Corpus, registry: Registry, windows: int
    ) -> None:
        everything = corpus.windows("train").take(torch.arange(windows))
        self.contexts, self.targets = everything.context.contiguous(), everything.target.contiguous()
        torch.manual_seed(0)
        self.model = build_model(arch, "", corpus.dim, 5, registry).to(corpus.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=5e-4, weight_decay=0.01, fused=True)
        self.run = torch.compile(self.model) if compiled else self.model
        self.batch, self.precision = batch, precision

    def epoch(self) -> float:
        """Seconds of one pass over all windows."""
        self.model.train()
        device = self.targets.device
        loss, began = torch.zeros(()), time.perf_counter()
        for index in torch.randperm(len(self.targets), device=device).split(self.batch):
            self.optimizer.zero_grad()
            with autocast(self.precision, device.type):
                prediction = self.run(self.contexts[index])
            loss = nn.functional.mse_loss(prediction.float(), self.targets[index])
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
        loss.item()  # which waits until it is done
        return time.perf_counter() - began


class Listener:
    """Looks at the run as the progress bar does, and lets the plain loop have its turn after each round."""

    def __init__(self, plain: Plain, epochs_a_round: int) -> None:
        self.plain, self.epochs_a_round = plain, epochs_a_round
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self._looked, self._seconds = 0.0, 0.0

    @hookimpl
    def lvm_step_finished(self, terms: dict[str, Tensor]) -> None:
        if time.perf_counter() - self._looked > REFRESH:
            self._looked = time.perf_counter()
            _ = [float(value) for value in terms.values()]

    @hookimpl
    def lvm_epoch_finished(self, record: dict[str, Any]) -> None:
        self._seconds += record["windows"] / record["windows_per_second"]
        if record["epoch"] % self.epochs_a_round == 0:
            self.ours.append(self._seconds)
            self.theirs.append(sum(self.plain.epoch() for _ in range(self.epochs_a_round)))
            self._seconds = 0.0


def measure(
    arch: str, batch: int, precision: str, compiled: bool, rounds: int, limit: int | None, device: str
) -> dict[str, Any]:
    """Windows/s of both loops by round, the warm-up left out."""
    epochs_a_round = CASES[arch][1]
    registry = Registry(Plugins(only=()))
    corpus = open_corpus("wiki", registry).on(device)
    catalogue = load_catalogue(default_files())
    base = catalogue.variant("base")
    variant = attrs.evolve(base, arch=arch, batch_size=batch, epochs=(rounds + 1) * epochs_a_round)
    conditions = Conditions(precision=precision, compile=compiled, device=device, on_collapse="continue")
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder), arch, [])
        stages = resolve_stages(variant, registry, catalogue).stages
        listeners = Listeners(registry.plugins.manager)
        gate = lambda model, profile: ""  # noqa: E731
        trainer = Trainer(variant, stages, corpus, registry, run, conditions, gate, listeners)
        full = trainer.train_windows
        trainer.train_windows = attrs.evolve(full, targets=full.targets[:limit])
        trainer.stages = prepare(stages, trainer.train_windows, conditions.seed)
        trainer.val_windows = attrs.evolve(trainer.val_windows, targets=trainer.val_windows.targets[:batch])
        windows = len(trainer.train_windows)
        listener = Listener(Plain(arch, batch, precision, compiled, corpus, registry, windows), epochs_a_round)
        listeners.add(listener)
        trainer.train()
    counted = windows * epochs_a_round
    ours, theirs = ([counted / seconds for seconds in side[1:]] for side in (listener.ours, listener.theirs))
    return {
        "model": arch,
        "batch": batch,
        "precision": precision,
        "compiled": compiled,
        "windows": counted,
        "lvm": ours,
        "plain": theirs,
        "ratio": [a / b for a, b in zip(ours, theirs, strict=True)],
    }


def row(found: dict[str, Any]) -> str:
    """A line of the Markdown table: medians, and the least and the greatest ratio of a round."""
    ours, theirs, ratio = (statistics.median(found[key]) for key in ("lvm", "plain", "ratio"))
    spread = f"{ratio:.2f} ({min(found['ratio']):.2f} … {max(found['ratio']):.2f})"
    how = found["precision"] + (", compiled" if found["compiled"] else "")
    return f"| {found['model']}, batch {found['batch']} | {how} | {ours:.0f} | {theirs:.0f} | {spread} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--windows", type=int, help="at most so many training windows")
    parser.add_argument("--arch", choices=list(CASES))
    parser.add_argument("--batch", type=int, action="append", help="in place of the usual one; may stand several times")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps, auto")
    parser.add_argument("--compile", action="store_true", help="each once more through torch.compile")
    parser.add_argument("--all", action="store_true", help="bf16 also where the processor has no native product")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    device = find(asked.device)
    precisions = ["fp32", "bf16"] if asked.all or resolve("auto", device) == "bf16" else ["fp32"]
    machine: dict[str, Any] = {"processor": processor_name(), "threads": torch.get_num_threads()}
    machine |= {"torch": torch.__version__, "device": facts(device)}
    note = f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}, {platform.system()}"
    note += "" if device == "cpu" else f"; {device}: {machine['device']['name']}"
    head = "| model | precision | lvm windows/s | plain windows/s | lvm / plain (min … max) |\n|---|---|---|---|---|"
    if not asked.json:
        print(f"{note}; medians of {asked.rounds} rounds\n\n{head}", flush=True)
    results = []
    for arch in CASES if asked.arch is None else [asked.arch]:
        for batch in asked.batch or [CASES[arch][0]]:
            for precision, compiled in product(precisions, [False, True] if asked.compile else [False]):
                results.append(measure(arch, batch, precision, compiled, asked.rounds, asked.windows, device))
                if not asked.json:
                    print(row(results[-1]), flush=True)
    if asked.json:
        print(json.dumps({"machine": machine, "rounds": asked.rounds, "results": results}, indent=1))


if __name__ == "__main__":
    main()
