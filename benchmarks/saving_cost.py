"""What it costs to save all that resuming a run needs at the end of every epoch.

    python benchmarks/saving_cost.py [--epochs 4] [--arch amn] [--json]

Trains on the bundled `wiki` with the common settings, and times each save of the state (serialised, written, flushed to
the disk and renamed) beside the epoch that it ends, validation included. The share is of both together, by the clock
and by the processor's time; the first epoch warms up and is not counted.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from lvmcore import Lab, hookimpl
from lvmcore.device import processor_name
from lvmcore.training.state import TrainerState

CASES = {"transformer": {}, "amn": {"batch_size": 256}, "gru": {}}
Times = tuple[float, float]
"""Of the clock and of the processor."""


def now() -> Times:
    return time.perf_counter(), time.process_time()


class Clock:
    """Times every save, and everything else of an epoch."""

    def __init__(self) -> None:
        self.saves: list[Times] = []
        self.epochs: list[Times] = []
        self.size = 0
        self._began, self._save = now(), TrainerState.save

    def install(self) -> None:
        save = self._save

        def timed(self_: TrainerState, path: Path) -> None:
            began = now()
            save(self_, path)
            clock, processor = now()
            self.saves.append((clock - began[0], processor - began[1]))
            self.size = path.stat().st_size

        TrainerState.save = timed  # pyright: ignore[reportAttributeAccessIssue]

    @hookimpl
    def lvm_epoch_started(self) -> None:
        self._began = now()

    @hookimpl
    def lvm_epoch_finished(self) -> None:
        clock, processor = now()
        self.epochs.append((clock - self._began[0], processor - self._began[1]))


def measure(arch: str, epochs: int) -> dict[str, Any]:
    clock = Clock()
    clock.install()
    settings = CASES[arch] | {"arch": arch, "epochs": epochs + 1, "on_collapse": "continue", "evaluate": False}
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on a disk, which /tmp may not be
        Lab(folder, progress=False).train(**settings, listeners=[clock])
    TrainerState.save = clock._save
    saves, whole = clock.saves[2:], clock.epochs[1:]  # the first save is that before the first step
    shares = [[save[i] / epoch[i] for save, epoch in zip(saves, whole, strict=True)] for i in (0, 1)]
    return {
        "model": arch,
        "bytes": clock.size,
        "save_seconds": [save[0] for save in saves],
        "epoch_seconds": [epoch[0] for epoch in whole],
        "share_by_clock": shares[0],
        "share_by_processor": shares[1],
    }


HEAD = """\
| model | state, MiB | a save, s | an epoch, s | share of the clock (min … max) | of the processor's time |
|---|---|---|---|---|---|"""


def row(found: dict[str, Any]) -> str:
    """A line of the Markdown table: medians, and the least and the greatest share of an epoch."""
    save, epoch, share, processor = (
        statistics.median(found[key])
        for key in ("save_seconds", "epoch_seconds", "share_by_clock", "share_by_processor")
    )
    spread = f"{share:.2%} ({min(found['share_by_clock']):.2%} … {max(found['share_by_clock']):.2%})"
    size = found["bytes"] / 2**20
    return f"| {found['model']} | {size:.0f} | {save:.3f} | {epoch:.1f} | {spread} | {processor:.2%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--arch", choices=list(CASES))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    machine = f"{processor_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {platform.system()}"
    if not asked.json:
        print(f"{machine}; medians of {asked.epochs} epochs\n")
        print(HEAD, flush=True)
    results = []
    for arch in CASES if asked.arch is None else [asked.arch]:
        results.append(measure(arch, asked.epochs))
        if not asked.json:
            print(row(results[-1]), flush=True)
    if asked.json:
        print(json.dumps({"machine": machine, "results": results}, indent=1))


if __name__ == "__main__":
    main()
