"""The record of one epoch: a line of epochs.jsonl."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Self

import torch
from torch import Tensor

from lvmcore.training.objective import Value


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
        self._terms: dict[str, list[tuple[Tensor, Tensor, int]]] = defaultdict(list)
        self._strengths: dict[str, float] = {}
        self._norms: list[Tensor] = []
        self._gradients: dict[str, list[float]] = defaultdict(list)
        self._events: list[str] = []

    def step(self, values: dict[str, Value], norm: Tensor, windows: int) -> None:
        for label, value in values.items():
            self._terms[label].append((value.raw.detach(), value.weighted.detach(), windows))
            self._strengths[label] = value.strength
        self._norms.append(norm.detach())
        self.steps += 1
        self._windows += windows

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
            counts = torch.tensor([count for _, _, count in seen], dtype=torch.float64)
            raw, weighted = (
                float((torch.stack([part[i] for part in seen]).double().cpu() * counts).sum() / counts.sum())  # pyright: ignore
                for i in (0, 1)
            )
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
            "gradient_norm": float(torch.stack(self._norms).mean()),
            **validation,
            "best": False,
            "seconds": round(seconds, 3),
            "windows_per_second": round(self._windows / max(self.seconds, 1e-9), 1),
            "events": self._events,
        }

    def state_dict(self) -> dict[str, Any]:
        """The epoch so far; of every term the values of all steps as one tensor."""
        terms = {
            label: {
                "raw": torch.stack([raw for raw, _, _ in seen]),
                "weighted": torch.stack([weighted for _, weighted, _ in seen]),
                "windows": [count for _, _, count in seen],
            }
            for label, seen in self._terms.items()
        }
        held = {name: value for name, value in vars(self).items() if name not in ("_terms", "_norms", "_gradients")}
        norms = torch.stack(self._norms) if self._norms else None
        return {**held, "_terms": terms, "_norms": norms, "_gradients": dict(self._gradients)}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """The record whose state it is, to be gone on with."""
        record = cls(state["epoch"], state["stage"], state["lr"])
        vars(record).update(state)
        record._terms, record._gradients = defaultdict(list), defaultdict(list, state["_gradients"])
        for label, seen in state["_terms"].items():
            record._terms[label] = list(zip(seen["raw"], seen["weighted"], seen["windows"], strict=True))
        record._norms = [] if state["_norms"] is None else list(state["_norms"])
        return record
