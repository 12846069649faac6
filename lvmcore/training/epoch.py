"""The record of one epoch: a line of epochs.jsonl."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Self

import torch
from torch import Tensor

from lvmcore.training.objective import Value

_PACKED = 4096


class Series:
    """A number a step, kept as tensors so that no step waits for them; of many steps a few bytes each remain."""

    def __init__(self) -> None:
        self._packed: list[Tensor] = []
        self._new: list[Tensor] = []

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """Those of the steps that are done (steps,)."""
        series = cls()
        series._packed = [values]
        return series

    def append(self, value: Tensor) -> None:
        self._new.append(value.detach())
        if len(self._new) == _PACKED:
            self._packed, self._new = [*self._packed, torch.stack(self._new).cpu()], []

    def last(self, count: int) -> Tensor:
        """Those of the last so many steps, fewer than are packed at a time."""
        return torch.cat([*self._packed[-1:], self._rest])[-count:]

    def all(self) -> Tensor:
        """(steps,)"""
        return torch.cat([*self._packed, self._rest])

    @property
    def _rest(self) -> Tensor:
        """Those that are not packed yet."""
        return torch.stack(self._new).cpu() if self._new else torch.empty(0)


class EpochRecord:
    """Gathers what happens in an epoch. Sums stay tensors until the end, so that no step waits for them."""

    def __init__(self, epoch: int, stage: str, lr: float) -> None:
        self.epoch, self.stage, self.lr = epoch, stage, lr
        self.seconds = 0.0
        """Of training, without what else the epoch takes."""
        self.inputs: dict[str, float] = {}
        """The strength of each input, by label."""
        self.fault = ""
        """Why it ended at a step, where it did."""
        self.steps = 0
        self._windows = 0
        self._terms: dict[str, tuple[Series, Series]] = defaultdict(lambda: (Series(), Series()))
        """Raw and weighted, by label."""
        self._counts: dict[str, list[int]] = defaultdict(list)
        """Windows of the steps that have a term."""
        self._strengths: dict[str, float] = {}
        self._norms = Series()
        self._gradients: dict[str, list[float]] = defaultdict(list)
        self._events: list[str] = []

    def step(self, values: dict[str, Value], norm: Tensor, windows: int) -> None:
        for label, value in values.items():
            for series, number in zip(self._terms[label], (value.raw, value.weighted), strict=True):
                series.append(number)
            self._counts[label].append(windows)
            self._strengths[label] = value.strength
        self._norms.append(norm)
        self.steps += 1
        self._windows += windows

    def sound(self, steps: int) -> bool:
        """Whether the last so many steps could all be taken; waits for the device."""
        return bool(self._norms.last(steps).isfinite().all())

    def gradients(self, norms: dict[str, float]) -> None:
        """L2 norm of each weighted term's gradient at one step."""
        for label, norm in norms.items():
            self._gradients[label].append(norm)

    def event(self, text: str) -> None:
        self._events.append(text)

    def document(self, validation: dict[str, float], seconds: float) -> dict[str, Any]:
        """The record: means over the windows of the epoch, gradient norms over the probed steps."""
        terms = {}
        for label, seen in self._terms.items():
            counts = torch.tensor(self._counts[label], dtype=torch.float64)
            raw, weighted = (float((part.all().double() * counts).sum() / counts.sum()) for part in seen)
            probed = self._gradients.get(label, [])
            terms[label] = {
                "strength": self._strengths[label],
                "raw": raw,
                "weighted": weighted,
                "gradient": sum(probed) / len(probed) if probed else None,
            }
        return {
            "epoch": self.epoch,
            "stage": self.stage,
            "lr": self.lr,
            "steps": self.steps,
            "windows": self._windows,
            "loss": sum(term["weighted"] for term in terms.values()),
            "terms": terms,
            "inputs": self.inputs,
            "gradient_norm": float(self._norms.all().mean()),
            **validation,
            "best": False,
            "seconds": round(seconds, 3),
            "windows_per_second": round(self._windows / max(self.seconds, 1e-9), 1),
            "events": self._events,
        }

    def state_dict(self) -> dict[str, Any]:
        """The epoch so far; the numbers of all steps as tensors, of which a file's header may hold any number."""
        held = dict(vars(self))
        held["_terms"] = {label: [series.all() for series in seen] for label, seen in self._terms.items()}
        held["_counts"] = {label: torch.tensor(counts) for label, counts in self._counts.items()}
        held["_gradients"] = dict(self._gradients)
        return {**held, "_norms": self._norms.all()}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """The record whose state it is, to be gone on with."""
        record = cls(state["epoch"], state["stage"], state["lr"])
        terms = record._terms
        vars(record).update(state)
        for label, (raw, weighted) in state["_terms"].items():
            terms[label] = Series.of(raw), Series.of(weighted)
        record._terms, record._norms = terms, Series.of(state["_norms"])
        record._counts = defaultdict(list, {label: counts.tolist() for label, counts in state["_counts"].items()})
        record._gradients = defaultdict(list, state["_gradients"])
        return record
