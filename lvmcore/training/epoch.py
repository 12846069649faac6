"""The record of one epoch: a line of epochs.jsonl."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from lvmcore.training.objective import Value


class EpochRecord:
    """Gathers what happens in an epoch. Sums stay tensors until the end, so that no step waits for them."""

    def __init__(self, epoch: int, stage: str, lr: float) -> None:
        self.epoch, self.stage, self.lr = epoch, stage, lr
        self.seconds = 0.0
        self.inputs: dict[str, float] = {}
        """The strength of each input, by label."""
        self._windows = self._steps = 0
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
        self._steps += 1
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
            "steps": self._steps,
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
