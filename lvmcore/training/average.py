"""The average of a model's weights over the steps: validated, kept and evaluated in place of those that are trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """An exponential moving average of the weights, begun with those after the first step; buffers are as they are.

    Args:
        decay: the share that a step leaves of it; 0: there is none, and the weights are what they are.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._move = get_ema_multi_avg_fn(decay)
        self.held: list[Tensor] = []
        """In the order of the model's parameters; none before the first step."""

    @torch.no_grad()
    def step(self, module: nn.Module) -> None:
        """A step was taken."""
        if not self.decay:
            return
        weights = [parameter.detach() for parameter in module.parameters()]
        if self.held:
            self._move(self.held, weights, 0)
        else:
            self.held = [weight.clone() for weight in weights]

    def forget(self) -> None:
        """Begin anew, as the weights were replaced."""
        self.held = []

    @contextmanager
    def within(self, module: nn.Module) -> Iterator[None]:
        """A module with the averaged weights, for a while."""
        self._exchange(module)
        try:
            yield
        finally:
            self._exchange(module)

    def _exchange(self, module: nn.Module) -> None:
        for number, parameter in enumerate(module.parameters() if self.held else ()):
            parameter.data, self.held[number] = self.held[number], parameter.data
