"""What of a run is written to its folder while it trains: all that it is, and its best weights."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import attrs

from lvmcore.checkpoint import load_model, model_bytes
from lvmcore.errors import LvmError, MachineError
from lvmcore.files import link_whole
from lvmcore.model import LatentVectorModel
from lvmcore.model_header import read_model_header
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.training.state import TrainerState

if TYPE_CHECKING:
    from lvmcore.training.trainer import Trainer

PATIENCE = 3
"""Saves in a row that may fail before the run ends."""


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
    """Writes all that a trainer is, when it is time, and bears for a while with a disk that does not take it."""

    def __init__(self, trainer: Trainer, every: Interval | None) -> None:
        self.trainer, self.every = trainer, every or Interval()
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

    def save(self, *, strict: bool = False) -> str:
        """Write the state and what belongs to it; gives what to say of a disk that did not take it.

        Args:
            strict: no failure is borne.

        Raises:
            MachineError: it failed, and those before it had.
        """
        self._steps, self._since = 0, time.monotonic()
        try:
            self._write()
        except MachineError as problem:
            self._failed += 1
            if strict or self._failed == PATIENCE:
                problem.fix = f"make room, then lvm run --resume {self.trainer.run.path}"
                raise
            return f"not saved: {problem.what}; tried again at the next save"
        self._failed = 0
        return ""

    def _write(self) -> None:
        trainer, run = self.trainer, self.trainer.run
        TrainerState.of(trainer).save(run.state_file)  # first, so that no other file is ahead of it
        if trainer.is_best_now and trainer.conditions.on_collapse == "rollback":
            link_whole(run.state_file, run.best_state_file)
        trainer.best.write()
        if trainer.records and trainer.record is None:
            run.write_epochs(trainer.records)


class Best:
    """The epoch that is best by one figure.

    The run's model file is replaced only after a state that knows of the new weights is on the disk: so whatever
    state is resumed, its best weights are there.

    Args:
        metric: the figure.
        higher: whether more of it is better.
    """

    def __init__(self, metric: str, higher: bool, run: Run) -> None:
        self.metric, self.higher, self.run = metric, higher, run
        self.epoch, self.value = 0, None
        self._file = b""
        """The model file, until it is written."""

    def beaten_by(self, record: dict[str, Any]) -> bool:
        new, old = record[self.metric], self.value
        if new is None or new != new:
            return False
        return old is None or (new > old if self.higher else new < old)

    def take(self, record: dict[str, Any]) -> None:
        """This epoch is the best now; `hold` keeps its weights."""
        record["best"] = True
        self.epoch, self.value = record["epoch"], record[self.metric]

    def hold(self, trainer: Trainer, record: dict[str, Any]) -> None:
        """The weights as they are, to be written when a state that has them is.

        Args:
            record: of the epoch that they are of.
        """
        about = {
            "run": self.run.path.name,
            "variant": trainer.variant.name,
            "corpus": trainer.corpus.facts,
            "data": trainer.variant.data,
            "best": self.fact,
            "val_cos": record["val_cos"],
            "parameters": trainer.model.parameter_count,
            "precision": trainer.conditions.precision,
            "versions": self.run.record["versions"],
        }
        with trainer.average.within(trainer.model):
            self._file = model_bytes(trainer.model, about)

    @property
    def fact(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "metric": self.metric, "value": self.value}

    def write(self) -> None:
        """Put the best weights into the run's folder, if they aren't there yet."""
        if self._file:
            self.run.write_model(self._file, self.fact)
            self._file = b""

    def model(self, registry: Registry) -> LatentVectorModel | None:
        """The model with the best weights so far, from the disk: a later stage may have changed the recipe since."""
        if not self.epoch:
            return None
        self.write()
        return load_model(self.run.model_file, registry)[0]

    def require(self) -> None:
        """See that the best weights are there.

        Raises:
            LvmError: they are not: somebody has taken them away.
        """
        if self._file or not self.epoch:
            return
        held: dict[str, Any] = {}
        with suppress(LvmError):  # a file that cannot be read holds none
            held = read_model_header(self.run.model_file)[1].get("best") or {}
        if held.get("epoch") != self.epoch:
            found = f"those of epoch {held['epoch']}" if "epoch" in held else "none"
            raise LvmError(
                f"the best weights so far are gone: there are {found}",
                where=str(self.run.model_file),
                expected=f"those of epoch {self.epoch}",
            )

    def state_dict(self, current: bool) -> dict[str, Any]:
        """What is to be kept of it.

        Args:
            current: the weights at the time are the best, and are kept as such.
        """
        return {"epoch": self.epoch, "value": self.value, "file": b"" if current else self._file}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.value, self._file = state["epoch"], state["value"], state["file"]
