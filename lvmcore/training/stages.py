"""The stages of a run, resolved before its first epoch."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lvmcore.data.windows import Windows
from lvmcore.expression import parse_one
from lvmcore.registry import Registry
from lvmcore.training.objective import Objective
from lvmcore.variants.variant import SettledStage, Variant

Sampler = Callable[[int, torch.Generator], Tensor]
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


def prepare(variant: Variant, windows: Windows, registry: Registry, seed: int) -> list[PreparedStage]:
    """Make what every stage names, so that a mistake in the last is found before the first epoch.

    Raises:
        LvmError: something that is unknown or out of range; an epoch in which no loss acts.
    """
    plan = variant.plan
    objectives = [Objective.of(stage.loss, registry) for stage in plan]
    samplers = [registry.make("sampler", parse_one(stage.sampler)).build(windows) for stage in plan]
    schedules = [registry.make("schedule", parse_one(stage.schedule)) if stage.schedule else None for stage in plan]
    steps, epoch = [], 0
    for stage, objective, sampler in zip(plan, objectives, samplers, strict=True):
        steps.append(-(-len(sampler(epoch + 1, generator_of(seed, epoch + 1))) // stage.batch_size))
        for _ in range(stage.epochs):
            objective.active(epoch := epoch + 1)
    lengths = [stage.epochs * count for stage, count in zip(plan, steps, strict=True)]

    def begin(number: int) -> BeginSchedule | None:
        """A schedule runs until the next one begins, or to the end."""
        schedule = schedules[number]
        if schedule is None:
            return None
        end = next((i for i in range(number + 1, len(plan)) if schedules[i] is not None), len(plan))
        total = sum(lengths[number:end])
        return lambda optimizer, done: schedule.build(optimizer, max(total - done, 1), steps[number])

    return [PreparedStage(plan[i], objectives[i], samplers[i], steps[i], begin(i)) for i in range(len(plan))]
