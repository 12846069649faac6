"""The best weights of a run, and the file that keeps them."""

from __future__ import annotations

from typing import Any

from lvmcore.checkpoint import load_model
from lvmcore.errors import LvmError
from lvmcore.model import LatentVectorModel
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.runs.subject import header_of


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
        """This epoch is the best now; its file is to be given to `hold`."""
        record["best"] = True
        self.epoch, self.value = record["epoch"], record[self.metric]

    def hold(self, file: bytes) -> None:
        """The file of the best weights, to be written when a state that has them is."""
        self._file = file

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
        held = header_of(self.run.model_file).get("best") or {}
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
