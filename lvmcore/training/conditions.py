"""How a variant is carried out, when it is saved meanwhile, and how it ended."""

from __future__ import annotations

import re
import time
from typing import Self

import attrs

from lvmcore.errors import LvmError, MachineError
from lvmcore.model import LatentVectorModel

PATIENCE = 3
"""Saves in a row that may fail before the run ends."""


@attrs.frozen(kw_only=True)
class Conditions:
    """How a variant is carried out."""

    seed: int = 0
    precision: str = "fp32"
    """fp32 or bf16; `auto` is resolved before."""
    size: str = "full"
    on_collapse: str = "stop"
    """stop, rollback (best weights again, half the weight of the term that is to blame) or continue"""
    save_every: Interval | None = None
    """When the state is saved besides at the end of every epoch."""


@attrs.frozen
class Outcome:
    """How the training ended."""

    status: str
    reason: str
    model: LatentVectorModel | None
    """With its best weights; None where no epoch gave any."""


@attrs.frozen
class Interval:
    """Every so many steps, or so many seconds."""

    steps: int = 0
    seconds: float = 0.0
    text: str = ""

    @classmethod
    def of(cls, text: str) -> Self:
        """`500 steps`, `10 min`, `30 s`, `2 h`.

        Raises:
            LvmError: it is neither.
        """
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(steps?|s|min|h)\s*", text)
        number, unit = (float(found[1]), found[2]) if found else (0.0, "")
        steps = unit.startswith("step")
        if number <= 0 or (steps and number % 1):
            raise LvmError(
                f"'{text}' is no interval",
                where="--save-every",
                expected="such as '500 steps', '30 s', '10 min' or '2 h'",
            )
        if steps:
            return cls(steps=int(number), text=text)
        return cls(seconds=number * {"s": 1, "min": 60, "h": 3600}[unit], text=text)


class Saving:
    """When to save within an epoch, and how long to bear with a disk that does not take it."""

    def __init__(self, every: Interval | None) -> None:
        self.every = every or Interval()
        self._steps, self._since = 0, time.monotonic()
        self._failed = 0

    @property
    def failing(self) -> bool:
        """Whether the last save failed."""
        return self._failed > 0

    def due(self) -> bool:
        """Whether it is time to save, asked once a step."""
        self._steps += 1
        if self.every.steps:
            return self._steps >= self.every.steps
        return bool(self.every.seconds) and time.monotonic() - self._since >= self.every.seconds

    def done(self, problem: MachineError | None = None) -> str:
        """A save was tried; gives what to say of one that failed.

        Raises:
            MachineError: it failed, and those before it had.
        """
        self._steps, self._since = 0, time.monotonic()
        self._failed = self._failed + 1 if problem else 0
        if problem is None:
            return ""
        if self._failed == PATIENCE:
            raise problem
        return f"not saved: {problem.what}; tried again at the next save"
