"""Every window once an epoch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from lvmcore import Windows, component


@component
class Full:
    """Every window once an epoch, in random order."""

    def build(self, windows: Windows) -> Callable[[int, Generator], Tensor]:
        return lambda epoch, generator: torch.randperm(len(windows), generator=generator)
