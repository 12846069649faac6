"""The stages of a run on its corpus, prepared before its first epoch, and the course of the learning rate over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lvmcore.data.indices import Indices
from lvmcore.data.windows import Windows
from lvmcore.training.objective import Objective
from lvmcore.training.validation import ResolvedStage
from lvmcore.variants.variant import SettledStage

Sampler = Callable[[int, torch.Generator], Indices]
"""(epoch, generator) → the windows of the epoch in training order (W',)."""


BeginSchedule = Callable[[Optimizer, int], LRScheduler]
"""(optimizer, steps of the course that are done) → the course over what is left of it."""


def generator_of(seed: int, epoch: int) -> torch.Generator:
    """What the order of an epoch is drawn from: the same for a seed, whatever was drawn before."""
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)


@attrs.frozen(eq=False)
class PreparedStage:
    """A stage with all that it names made."""

    stage: SettledStage
    objective: Objective
    sampler: Sampler
    steps: int
    """Steps of an epoch."""
    schedule: BeginSchedule | None
    """Begins the learning rate's course; None where that of the stage before goes on."""


def prepare(resolved: Sequence[ResolvedStage], windows: Windows, seed: int) -> list[PreparedStage]:
    """Build samplers and schedules on the training windows, and see that a loss acts in every epoch of every stage.

    Raises:
        LvmError: a sampler that keeps no window; an epoch in which no loss acts.
    """
    samplers = [one.sampler.build(windows) for one in resolved]
    steps, epoch = [], 0
    for one, sampler in zip(resolved, samplers, strict=True):
        steps.append(-(-len(sampler(epoch + 1, generator_of(seed, epoch + 1))) // one.stage.batch_size))
        for _ in range(one.stage.epochs):
            one.objective.active(epoch := epoch + 1)
    lengths = [one.stage.epochs * count for one, count in zip(resolved, steps, strict=True)]

    def begin(number: int) -> BeginSchedule | None:
        """A schedule runs until the next one begins, or to the end."""
        schedule = resolved[number].schedule
        if schedule is None:
            return None
        end = next((i for i in range(number + 1, len(resolved)) if resolved[i].schedule is not None), len(resolved))
        total = sum(lengths[number:end])
        return lambda optimizer, done: schedule.build(optimizer, max(total - done, 1), steps[number])

    return [
        PreparedStage(one.stage, one.objective, sampler, count, begin(number))
        for number, (one, sampler, count) in enumerate(zip(resolved, samplers, steps, strict=True))
    ]


class Course:
    """The course of the learning rate: which stage began it, and how far it is."""

    schedule: LRScheduler

    def __init__(self, optimizer: Optimizer, stages: Sequence[PreparedStage]) -> None:
        self.optimizer, self.stages = optimizer, stages
        self.stage, self.lr = 0, 0.0
        """The number of the stage that began it, and the learning rate at its beginning."""
        self.begun = self.done = 0
        """Its steps that were done when the schedule was built, and that are done now."""
        self.enter(0)

    @property
    def rate(self) -> float:
        return self.optimizer.param_groups[0]["lr"]

    def enter(self, number: int) -> None:
        """Begin a stage's own course, if it has one; else that of the stage before goes on."""
        prepared = self.stages[number]
        if prepared.schedule:
            assert prepared.stage.lr is not None
            self.stage, self.lr, self.done = number, prepared.stage.lr, 0
            self._build()

    def step(self, taken: bool) -> None:
        """A step is done.

        Args:
            taken: whether it changed the weights.
        """
        self.done += 1
        if taken and not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()

    def end_epoch(self, loss: float) -> str:
        """Tell the validation loss to a schedule that looks at it; says if the rate is another now."""
        before = self.rate
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(loss)
        return f"learning rate {before:g} → {self.rate:g}" if self.rate != before else ""

    def halve(self) -> None:
        """Go on at half the rate."""
        if isinstance(self.schedule, ReduceLROnPlateau):
            for group in self.optimizer.param_groups:
                group["lr"] /= 2
        else:  # it computes the rate of every step, and would undo a change: what is left of the course begins anew
            self.lr /= 2
            self._build()

    def _build(self) -> None:
        begin = self.stages[self.stage].schedule
        assert begin is not None
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] = self.lr
        self.begun = self.done
        self.schedule = begin(self.optimizer, self.done)

    def state_dict(self) -> dict[str, Any]:
        held = {name: getattr(self, name) for name in ("stage", "lr", "begun", "done")}
        return {**held, "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on along another course; the optimizer's own state, which holds the rates, is to be loaded after it."""
        self.stage, self.lr, self.done = state["stage"], state["lr"], state["begun"]
        self._build()
        self.done = state["done"]
        self.schedule.load_state_dict(state["schedule"])
