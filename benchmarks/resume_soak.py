"""Runs that are killed at random moments and resumed, held against the same runs in one go: equal to the bit, or not.

    python benchmarks/resume_soak.py [--kills 200] [--seed 0] [--minutes 30] [--json]

Each round trains and evaluates one of several toy runs whole. Then it makes it again in a process that gets SIGKILL
after a random time, and goes on with it in the next process, which is killed in turn, until one of them comes to its
end; after a dozen of them one is let alone. The weights must be the same to the bit, and `epochs.jsonl` and
`evaluation.json` the same but for times and the run's name. Ends with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import safetensors.torch
import torch

from lvmcore import Lab, Run, hookimpl
from lvmcore.device import processor_name
from lvmcore.evaluation import evaluator
from lvmcore.installation import examine
from lvmcore.runs.folder import all_runs
from lvmcore.training import trainer
from lvmcore.training.state import TrainerState

DATA = "world,articles=20,length=16,dim=20,latent=2"
COMMON: dict[str, Any] = {"data": DATA, "size": "toy", "batch_size": 16, "epochs": 4}
ROUNDS: list[tuple[str | None, dict[str, Any]]] = [
    (None, {"loss": "mse+dir:0.01,adaptive=true", "inputs": "pos:0.05,ramp=3+drop:0.2", "save_every": "3 steps"}),
    ("p5", {"epochs": 5, "ignore_gates": True, "save_every": "2 steps"}),
    (None, {"arch": "gru", "schedule": "warmup-cosine:1", "optimizer": "sgd:0.9", "precision": "bf16"}),
    ("p8", {"sampler": "weighted", "save_every": "1 step"}),
    ("p6b", {"inputs": "last-noise:0.3", "save_every": "0.05 s"}),
    (None, {"arch": "amn+anchored", "loss": "mse+roll:0.1,start=2", "lr": 1e-2, "on_collapse": "rollback"}),
]
"""Variant → settings: between them whatever makes resuming hard."""

PHASES = ("beginning", "in a step", "in a validation", "in a save", "between stages", "in the evaluation", "ending")
EARLY = 0.05
"""How many of the kills come before the training, where there is nothing to lose."""
PATIENCE = 12
"""Attempts of a round of which the last is let alone."""
TIMES = ("seconds", "windows_per_second", "model")


class Phase:
    """What a process is doing, in memory that the one that kills it sees."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    def set(self, name: str) -> None:
        self._memory[0] = PHASES.index(name)

    @property
    def now(self) -> str:
        return PHASES[self._memory[0]]

    @hookimpl
    def lvm_stage_started(self) -> None:
        self.set("between stages")

    @hookimpl
    def lvm_epoch_started(self) -> None:
        self.set("in a step")

    @hookimpl
    def lvm_evaluated(self) -> None:
        self.set("ending")

    def watch(self) -> None:
        """Follow this process where no hook tells of it."""
        _told(trainer, "validate", lambda: self.set("in a validation"))
        _told(TrainerState, "save", lambda: self.set("in a save"), lambda: self.set("in a step"))
        _told(evaluator.Evaluator, "evaluate", lambda: self.set("in the evaluation"))


def _told(owner: Any, name: str, before: Callable[[], None], after: Callable[[], None] = lambda: None) -> None:
    function = getattr(owner, name)

    def told(*words: Any, **named: Any) -> Any:
        before()
        given = function(*words, **named)
        after()
        return given

    setattr(owner, name, told)


@attrs.frozen
class Work:
    """A toy run, in a folder of its own."""

    lab: Lab
    variant: str | None
    settings: dict[str, Any]
    phase: Phase

    def attempt(self, folder: Path) -> None:
        """Begin the run, or go on with it; of one that was killed before it began to train nothing is left."""
        lab, lab.folder = self.lab, folder
        for run in list(all_runs(folder)):
            if run.state_file.is_file():
                lab.resume(run, listeners=[self.phase])
                return
            run.delete()
        lab.train(self.variant, **self.settings, listeners=[self.phase])

    def in_process(self, folder: Path, limit: float | None = None) -> tuple[bool, float]:
        """An attempt in a process of its own, which is killed so many seconds after it began to train.

        Says whether it came to its end, and how long it trained; a limit below 0 kills it before it does.
        """
        self.phase.set("beginning")
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            status = 1
            with suppress(BaseException):
                self.phase.watch()
                self.attempt(folder)
                status = 0
            os._exit(status)
        trained: float | None = None
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            now = time.monotonic()
            if trained is None and self.phase.now != "beginning":
                trained = now
            if ended:
                if os.waitstatus_to_exitcode(status) != 0:
                    raise SystemExit("an attempt failed by itself: run it alone to see why")
                return True, now - (trained or began)
            before = limit is not None and limit < 0 and now - began >= -limit
            if before or (limit is not None and limit >= 0 and trained is not None and now - trained >= limit):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return False, now - began
            time.sleep(0.0005)


def differences(one: Run, other: Run) -> list[str]:
    """What of two runs differs that must not."""
    ours, theirs = (safetensors.torch.load_file(run.model_file) for run in (one, other))
    found = [f"weights {name}" for name in ours | theirs if not _equal(ours.get(name), theirs.get(name))]
    pairs = [
        (one.epochs, other.epochs, "epochs.jsonl"),
        ([one.document_by()], [other.document_by()], "evaluation.json"),
    ]
    for first, second, file in pairs:
        if _timeless(first) != _timeless(second):
            found.append(file)
    if (one.status, one.record["best"]) != (other.status, other.record["best"]):
        found.append("run.json")
    left = [file.name for file in other.path.glob(".*") if file.name != ".lock"]
    return found + [f"{name} was left behind, which" for name in left]


def _equal(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    return one is not None and other is not None and torch.equal(one, other)


def _timeless(documents: list[Any]) -> list[dict[str, Any]]:
    return [{key: held for key, held in (one or {}).items() if key not in TIMES} for one in documents]


def soak(kills: int, seed: int, minutes: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Rounds until so many kills have been survived, or the time is over."""
    torch.set_num_threads(1)  # a pool of threads does not outlive a fork
    lab = Lab(progress=False)
    examine(lab.registry)  # all is imported once, and not in every process
    lab.corpus(DATA)
    drawn, phase, moments = random.Random(seed), Phase(), Counter[str]()
    wrong: list[str] = []
    rounds, deadline = 0, time.monotonic() + 60 * minutes
    while sum(moments.values()) < kills and time.monotonic() < deadline:
        variant, own = ROUNDS[rounds % len(ROUNDS)]
        settings = COMMON | {"seed": drawn.randrange(1000)} | own
        rounds += 1
        work = Work(lab, variant, settings, phase)
        with tempfile.TemporaryDirectory() as folder:
            whole, killed = Path(folder, "whole"), Path(folder, "killed")
            _, seconds = work.in_process(whole)
            attempts, done = 0, False
            while not done:
                attempts += 1
                alone = attempts % PATIENCE == 0 or sum(moments.values()) >= kills
                early = drawn.random() < EARLY
                limit = -drawn.uniform(0.001, seconds) if early else drawn.uniform(0, seconds / 2)
                done, _ = work.in_process(killed, None if alone else limit)
                if not done:
                    moments[phase.now] += 1
            (one,), (other,) = all_runs(whole), all_runs(killed)
            found = differences(one, other)
            wrong += [f"round {rounds}, {variant or 'base'} {settings}: {what} differs" for what in found]
            say(
                f"round {rounds:>3}  {variant or own.get('arch', 'base'):<14} killed {attempts - 1} times  "
                f"{'equal' if not found else 'DIFFERENT: ' + ', '.join(found)}"
            )
    return {"kills": sum(moments.values()), "rounds": rounds, "moments": dict(moments), "wrong": wrong}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=30.0, help="begin no round after that")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["LVM_CACHE"] = cache
        say = (lambda said: None) if asked.json else (lambda said: print(said, flush=True))
        found = soak(asked.kills, asked.seed, asked.minutes, say)
    machine = f"{processor_name()}, {os.cpu_count()} cores, torch {torch.__version__}, {platform.system()}"
    if asked.json:
        print(json.dumps({"machine": machine, **found}, indent=1))
    else:
        print(f"\n{machine}: {found['kills']} kills in {found['rounds']} rounds, {len(found['wrong'])} differences")
        for moment, count in sorted(found["moments"].items(), key=lambda held: PHASES.index(held[0])):
            print(f"  {count:>4}  {moment}")
        for said in found["wrong"]:
            print(said)
    sys.exit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()
