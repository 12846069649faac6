"""Batches made ready while the device is busy with those before them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from lvmcore.data.windows import Batch

DEPTH = 2
"""Batches that are gathered ahead of time."""

Numbered = tuple[int, Batch]


def ahead(batches: Iterator[Numbered]) -> Iterator[Numbered]:
    """The same batches in the same order, whose rows another thread has gathered and sent."""
    with ThreadPoolExecutor(1, "lvm-rows") as pool:
        waiting = deque(pool.submit(_gathered, one) for _, one in zip(range(DEPTH), batches, strict=False))
        while waiting:
            ready = waiting.popleft().result()
            if (following := next(batches, None)) is not None:
                waiting.append(pool.submit(_gathered, following))
            yield ready


def _gathered(numbered: Numbered) -> Numbered:
    _, batch = numbered
    _ = batch.context, batch.target  # which keeps them
    return numbered
