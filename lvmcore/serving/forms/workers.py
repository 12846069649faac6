"""Threads beside the loop, in which work is done in turns, so that long work doesn't hold up what is short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lvmcore.turns import Turns

T = TypeVar("T")


class Worker:
    """One thread. Each piece of work is given it a turn at a time, and all that wait have their turn in between."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, f"lvm-{name}")

    async def finish(self, work: Turns[T]) -> T:
        """Do all turns, and give the result. Whoever cancels it waits for no more than the turn under way."""
        loop = asyncio.get_running_loop()
        while (ended := await loop.run_in_executor(self._thread, _turn, work)) is None:
            pass
        return ended[0]

    async def each(self, items: Iterator[T]) -> AsyncIterator[T]:
        """The items, each made in a turn of its own."""
        loop = asyncio.get_running_loop()
        while (found := await loop.run_in_executor(self._thread, _next, items)) is not None:
            yield found[0]

    def stop(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _turn(work: Turns[T]) -> tuple[T] | None:
    try:
        next(work)
    except StopIteration as end:
        return (end.value,)
    return None


def _next(items: Iterator[T]) -> tuple[T] | None:
    for item in items:
        return (item,)
    return None
