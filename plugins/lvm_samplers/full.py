"""Every window once an epoch."""

from __future__ import annotations

from collections.abc import Callable

from torch import Generator

from lvmcore import Indices, Windows, component, shuffled


@component
class Full:
    """Every window once an epoch, in random order."""

    def build(self, windows: Windows) -> Callable[[int, Generator], Indices]:
        return lambda epoch, generator: shuffled(len(windows), generator)
