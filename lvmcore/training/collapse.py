"""Notice when a training falls apart."""

from __future__ import annotations

import math
from typing import Any

FRACTION, DROP = 0.9, 0.02


class CollapseWatch:
    """Remembers the best validation cosine.

    Collapse: a cosine under 0.9 times the best so far and at least 0.02 below it, or one that is not finite.
    """

    def __init__(self) -> None:
        self.best, self.epoch = -math.inf, 0

    def see(self, record: dict[str, Any]) -> str:
        """Say what happened if this epoch is a collapse, else nothing."""
        cosine, epoch = record["val_cos"], record["epoch"]
        if not math.isfinite(cosine) or not math.isfinite(record["loss"]):
            return f"collapsed at epoch {epoch}: the loss or the predictions are not finite"
        if self.epoch and cosine < FRACTION * self.best and cosine <= self.best - DROP:
            return f"collapsed at epoch {epoch}: val cosine {self.best:.3f} (epoch {self.epoch}) → {cosine:.3f}"
        if cosine > self.best:
            self.best, self.epoch = cosine, epoch
        return ""

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.epoch = state["best"], state["epoch"]
