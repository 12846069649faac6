"""A diary of a run, in its folder: every hook that listens, in one file: lvm run p1 --plugin examples/journal.py"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path

from lvmcore import hookimpl

PAGES: list[Path] = []
"""The diary of the run that is on; empty while something else is evaluated."""
SUMS: defaultdict[str, float] = defaultdict(float)
"""Of each weighted term over the epoch so far."""


def say(text: str) -> None:
    for page in PAGES:
        with page.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now():%H:%M:%S}  {text}\n")


@hookimpl
def lvm_run_started(run):
    PAGES[:] = [run.path / "journal.txt"]
    say(f"{run.record['name']} begins, seed {run.record['seed']}")


@hookimpl
def lvm_stage_started(stage, steps_per_epoch):
    say(f"stage {stage.name}: {steps_per_epoch} steps an epoch")


@hookimpl
def lvm_epoch_started(epoch):
    SUMS.clear()


@hookimpl
def lvm_step_finished(terms):
    for label, value in terms.items():
        SUMS[label] += float(value)


@hookimpl
def lvm_epoch_finished(record):
    total = sum(SUMS.values()) or 1.0
    shares = ", ".join(f"{label} {value / total:.0%}" for label, value in SUMS.items())
    say(f"epoch {record['epoch']}: val cosine {record['val_cos']:.4f}; of the loss: {shares}")


@hookimpl
def lvm_evaluated(result):
    say(f"evaluated: {result['gates']['passed']} of {result['gates']['of']} gates passed")


@hookimpl
def lvm_run_finished(run):
    say(f"{run.status} {run.record['reason']}".rstrip())
    PAGES.clear()
