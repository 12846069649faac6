"""Runs that are stopped again and again, wherever they are, and gone on with; for tests of resuming."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from training import made

from lvmcore import hookimpl
from lvmcore.data.corpus import Corpus
from lvmcore.listeners import Listeners
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.training import trainer as trainer_module
from lvmcore.training.saving import Interval
from lvmcore.training.state import TrainerState
from lvmcore.variants.variant import Variant

TIMES = ("seconds", "windows_per_second")


class Stop(BaseException):
    """What stops a run, and nobody catches."""


class Stopper:
    """Stops a run at the n-th thing that it does: a step, a hook, a file half written, a validation."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done, self.last = 0, math.inf
        for module, name in ((os, "fsync"), (os, "replace"), (trainer_module, "validate")):
            monkeypatch.setattr(module, name, self._ticking(getattr(module, name)))

    def _ticking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def ticking(*words: Any, **named: Any) -> Any:
            self.tick()
            given = function(*words, **named)
            self.tick()
            return given

        return ticking

    def tick(self) -> None:
        self.done += 1
        if self.done > self.last:
            raise Stop

    @hookimpl
    def lvm_stage_started(self) -> None:
        self.tick()

    @hookimpl
    def lvm_epoch_started(self) -> None:
        self.tick()

    @hookimpl
    def lvm_step_finished(self) -> None:
        self.tick()

    @hookimpl
    def lvm_epoch_finished(self) -> None:
        self.tick()

    def session(self, last: float, carry_out: Callable[[], Any]) -> bool:
        """Let a run do so much; says whether it came to its end."""
        self.done, self.last = 0, last
        try:
            carry_out()
        except Stop:
            return False
        finally:
            self.last = math.inf
        return True


def stopped_and_resumed(
    variant: Variant,
    corpus: Corpus,
    registry: Registry,
    folder: Path,
    stopper: Stopper,
    ticks: int,
    stops: int = 4,
    save_every: str = "2 steps",
    seed: int = 0,
    **conditions: Any,
) -> Run:
    """Carry a variant out with stops at random places, a new trainer each time.

    Args:
        ticks: what the whole run does, about.
    """
    drawn = random.Random(seed)
    run = Run.create(folder, variant.name, ["test"])
    places = [drawn.randrange(1, max(2, ticks)) for _ in range(stops)]
    for last in (*places, math.inf):
        run.release()
        run = Run.open(run.path)
        run.lock()

        def carry_out(run: Run = run) -> None:
            listeners = Listeners(registry.plugins.manager, [stopper])
            every = Interval.of(save_every)
            trainer = made(variant, corpus, registry, run, listeners=listeners, save_every=every, **conditions)
            if run.state_file.is_file():
                TrainerState.load(run.state_file).restore(trainer)
            trainer.train()

        if stopper.session(last, carry_out):
            break
    return run


def require_equal(one: Run, other: Run) -> None:
    """The same weights to the bit, and the same records but for times."""
    ours, theirs = (safetensors.torch.load_file(run.model_file) for run in (one, other))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    ours, theirs = ([{k: v for k, v in e.items() if k not in TIMES} for e in run.epochs] for run in (one, other))
    assert ours == theirs
    assert one.record["best"] == other.record["best"]
