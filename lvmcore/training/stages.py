"""The stages of a run on its corpus, prepared before its first epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

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
