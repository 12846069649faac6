"""What a schedule of the learning rate promises."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lvmcore.testing.promises import Subject, expect, promise

LEARNING_RATE, EPOCHS, STEPS = 1e-3, 4, 5


class Course:
    """The learning rate step by step, stepped as the trainer does."""

    def __init__(self, made: Any, epochs: int = EPOCHS, steps: int = STEPS) -> None:
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.optimizer = torch.optim.AdamW([self.weight], lr=LEARNING_RATE)
        self.schedule = made.build(self.optimizer, epochs * steps, steps)
        self.epochs, self.steps = epochs, steps
        self.rates: list[float] = []

    def run(self, first: int = 0, last: int | None = None) -> list[float]:
        for epoch in range(first, self.epochs if last is None else last):
            for _ in range(self.steps):
                self.rates.append(self.optimizer.param_groups[0]["lr"])
                self.weight.grad = torch.ones(1)
                self.optimizer.step()
                if not isinstance(self.schedule, ReduceLROnPlateau):
                    self.schedule.step()
            if isinstance(self.schedule, ReduceLROnPlateau):
                self.schedule.step(1.0 / (epoch + 1))
        return self.rates


@promise("schedule")
def is_a_scheduler_of_torch(subject: Subject) -> None:
    """It builds one of torch's schedulers, or one that behaves like it."""
    for text, made in subject.settings():
        given = Course(made).schedule
        expect(isinstance(given, LRScheduler | ReduceLROnPlateau), f"it built a {type(given).__name__}{text}")


@promise("schedule")
def rates_stay_usable(subject: Subject) -> None:
    """The learning rate is finite, never negative, not 0 throughout and never above ten times what was asked for."""
    for text, made in subject.settings():
        for epochs, steps in ((EPOCHS, STEPS), (1, 1), (1, 2), (40, 1)):
            rates = Course(made, epochs, steps).run()
            fine = all(math.isfinite(rate) and 0 <= rate <= 10 * LEARNING_RATE for rate in rates)
            expect(fine, f"rates from {min(rates)} to {max(rates)} over {epochs} × {steps} steps{text}")
            expect(max(rates) > 0, f"the rate is 0 throughout {epochs} × {steps} steps{text}")


@promise("schedule")
def its_state_can_be_restored(subject: Subject) -> None:
    """Its state_dict, loaded into one that is built anew, goes on with the same rates: resume needs that."""
    for text, made in subject.settings():
        whole = Course(made).run()
        broken_off, resumed = Course(made), Course(made)
        broken_off.run(last=2)
        resumed.schedule.load_state_dict(broken_off.schedule.state_dict())
        resumed.optimizer.load_state_dict(broken_off.optimizer.state_dict())
        given = broken_off.rates + resumed.run(first=2)
        expect(given == whole, f"{given} after a resume, {whole} without{text}")
