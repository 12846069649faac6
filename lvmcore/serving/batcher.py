"""Concurrent requests computed together: the model in one thread, a slice of everybody's contexts at a time."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import attrs
import torch
from torch import Tensor

from lvmcore.errors import LvmError
from lvmcore.serving.limits import Limits
from lvmcore.serving.refusal import Refusal, busy

SMALLEST, LARGEST = 8, 1_024
"""Contexts of a slice, between which it is fitted to `Limits.turn`."""
EACH = 64
"""Requests that a slice has a context of, though it takes longer: to split what is small already helps nobody."""

Predict = Callable[[Tensor], Tensor]


@attrs.define(eq=False)
class _Job:
    """The contexts of a request, and how far they are."""

    rows: Tensor
    """(B, C, D), what is predicted from next; the thread of the model changes it."""
    found: Tensor
    """(B, steps, D)"""
    answer: asyncio.Future[Tensor]
    step: int = 0
    at: int = 0
    """Contexts of this step that are done."""

    @property
    def waiting(self) -> int:
        """Contexts of this step that are not yet done."""
        return len(self.rows) - self.at

    @property
    def left(self) -> int:
        """Predictions that are to be made."""
        batch, steps, _ = self.found.shape
        return batch * (steps - self.step) - self.at

    def keep(self, predicted: Tensor) -> None:
        """Take the predictions of the next contexts, and feed them back where steps follow."""
        part = slice(self.at, self.at + len(predicted))
        self.found[part, self.step] = predicted
        if self.step + 1 < self.found.shape[1]:
            self.rows[part] = torch.cat([self.rows[part, 1:], predicted[:, None]], 1)
        self.at = part.stop
        if self.at == len(self.rows):
            self.step, self.at = self.step + 1, 0


class Batcher:
    """Predicts for many at once.

    While a slice is computed, requests gather; the next slice holds some contexts of each, equally many where they
    don't all fit. A request of one context so waits for a slice or two, whatever else is asked.

    Args:
        predict: (B, C, D) unit rows → (B, D) unit vectors; called in one thread.
        seen: told the contexts of each slice, and the seconds that it took.
    """

    def __init__(self, predict: Predict, limits: Limits, seen: Callable[[int, float], None]) -> None:
        self.limits = limits
        self._predict, self._seen = predict, seen
        self._jobs: deque[_Job] = deque()
        self._come = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "lvm-model")
        self._size, self._rate = 4 * SMALLEST, 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Predictions that are asked for and not yet made."""
        return sum(job.left for job in self._jobs)

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """End after the slice under way; whoever still waits is refused."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for job in self._jobs:
            if not job.answer.done():
                job.answer.set_exception(busy("the server stops", 10))
        self._thread.shutdown(wait=False)

    async def predictions(self, rows: Tensor, steps: int = 1) -> Tensor:
        """(B, C, D) unit rows → (B, steps, D), each prediction fed back.

        Args:
            rows: the batcher's own from here on.

        Raises:
            Refusal: 503 where too much waits already, 500 where the model fails.
        """
        if (waiting := self.waiting) + len(rows) * steps > self.limits.queue:
            seconds = math.ceil(waiting / self._rate) if self._rate else 1
            raise busy("too many predictions wait to be made", min(max(seconds, 1), 60))
        answer: asyncio.Future[Tensor] = asyncio.get_running_loop().create_future()
        found = rows.new_empty(len(rows), steps, rows.shape[-1])
        self._jobs.append(_Job(rows, found, answer))
        self._come.set()
        return await answer

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._come.wait()
            self._jobs = deque(job for job in self._jobs if not job.answer.done())  # the others' clients have gone
            if not self._jobs:
                self._come.clear()
                continue
            jobs = list(self._jobs)[: max(self._size, EACH)]
            given = shares([job.waiting for job in jobs], max(self._size, len(jobs)))
            parts = list(zip(jobs, given, strict=True))
            failed = await loop.run_in_executor(self._thread, self._slice, parts)
            for job in jobs:  # whoever had a turn goes to the end
                self._jobs.remove(job)
                if job in failed and not job.answer.done():
                    job.answer.set_exception(failed[job])
                elif job.left:
                    self._jobs.append(job)
                elif not job.answer.done():
                    job.answer.set_result(job.found)

    def _slice(self, parts: list[tuple[_Job, int]]) -> dict[_Job, Exception]:
        """One pass of the model; if it fails, one for each request, so that nobody bears another's fault."""
        try:
            self._pass(parts)
        except Exception as problem:
            if len(parts) == 1:
                return {parts[0][0]: _failure(problem)}
            return {job: fault for part in parts for job, fault in self._slice([part]).items()}
        return {}

    def _pass(self, parts: list[tuple[_Job, int]]) -> None:
        rows = torch.cat([job.rows[job.at : job.at + count] for job, count in parts])
        began = time.perf_counter()
        predicted = self._predict(rows)
        self._fit(len(rows), time.perf_counter() - began)
        for (job, _), found in zip(parts, predicted.split([count for _, count in parts]), strict=True):
            job.keep(found)

    def _fit(self, count: int, seconds: float) -> None:
        """Learn from a slice how long the next may be."""
        self._seen(count, seconds)
        rate = count / max(seconds, 1e-6)
        self._rate += (rate - self._rate) * (0.2 if self._rate else 1)
        if count >= self._size or seconds > self.limits.turn:  # a slice that wasn't full says nothing of a longer one
            fitting = int(count * self.limits.turn / max(seconds, 1e-6))
            fitting = min(max(fitting, self._size // 2), self._size * 2)  # one that was disturbed says little
            self._size = min(max(fitting, SMALLEST), LARGEST)


def shares(wanted: list[int], room: int) -> list[int]:
    """How many of a slice each gets: what it wants, or equally many where that is too much; at least one of as many
    as there is room for."""
    given = [0] * len(wanted)
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    for done, place in enumerate(order):
        given[place] = min(wanted[place], room // (len(order) - done))
        room -= given[place]
    return given


def _failure(problem: Exception) -> Refusal:
    what = problem.what if isinstance(problem, LvmError) else f"the model failed with {type(problem).__name__}"
    return Refusal(500, what, where="the model", fix="other contexts; lvm eval, which tells how the model fares")
