"""Notice when a training falls apart, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

FRACTION, DROP = 0.9, 0.02
LEAST = 0.1
"""The share of the gradient that a term must have to be to blame."""
ROLLBACKS = 3
"""How often a run goes back to its best weights before it gives up."""


class CollapseWatch:
    """Remembers the best validation cosine.

    Collapse: a cosine under 0.9 times the best so far and at least 0.02 below it, or one, a loss or a gradient that is
    not finite.
    """

    def __init__(self) -> None:
        self.best, self.epoch = -math.inf, 0

    def see(self, record: dict[str, Any], fault: str = "") -> str:
        """Say what happened if this epoch is a collapse, else nothing.

        Args:
            fault: what ended the epoch at a step, if anything did.
        """
        cosine, epoch = record["val_cos"], record["epoch"]
        if fault:
            return f"collapsed at epoch {epoch}: {fault}"
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


class Remedy:
    """How often a run went back after a collapse, and which of its terms pull less since."""

    def __init__(self) -> None:
        self.count = 0
        self.eased: dict[str, float] = {}
        """Label of a term → factor on its weight."""

    @property
    def left(self) -> bool:
        """Whether going back is worth another try."""
        return self.count < ROLLBACKS

    def ease(self, terms: Mapping[str, Mapping[str, Any]]) -> str:
        """Halve the weight of the term that is to blame, and say which; nothing where there is none.

        Args:
            terms: those of the record of the epoch that collapsed.
        """
        self.count += 1
        label, share = to_blame(terms)
        if label:
            self.eased[label] = self.eased.get(label, 1.0) / 2
            weight = terms[label]["strength"] / 2
            return f"the weight of {label}, {share:.0%} of the gradient, is halved to {weight:g}"
        return ""

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "eased": self.eased}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count, self.eased = state["count"], dict(state["eased"])


def to_blame(terms: Mapping[str, Mapping[str, Any]]) -> tuple[str, float]:
    """The term that pulls the hardest beside the first, which is what the run is for, and its share of the gradient.

    The share is of the sum of the terms' gradient norms; of a term that is not finite it is all. No term, where none
    has as much as `LEAST`, or where the first is itself not finite.
    """
    norms = {label: term["gradient"] if math.isfinite(term["raw"]) else math.inf for label, term in terms.items()}
    norms = {label: norm if norm is not None and norm == norm else math.inf for label, norm in norms.items()}
    first, *others = norms
    if not others or not math.isfinite(norms[first]):
        return "", 0.0
    guilty = max(others, key=lambda label: norms[label])
    total = sum(norms.values())
    share = norms[guilty] / total if math.isfinite(total) else 1.0
    return (guilty, share) if share >= LEAST else ("", 0.0)
