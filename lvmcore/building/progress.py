"""What a build shows while it works: the stage under way, its rate, and how long it takes yet."""

from __future__ import annotations

import time
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lvmcore.report.progress import is_watched

REFRESH = 0.2
"""Seconds between two looks."""


class Watch(Protocol):
    """Who is told how far a build is."""

    def begin(self, stage: str, total: int, unit: str) -> None:
        """A stage begins, of so many of something."""
        ...

    def at(self, done: int) -> None:
        """So much of it is done."""
        ...


class Bar:
    """A bar a stage, which goes when it is done; none where nobody looks at a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not is_watched(console),
        )
        self._task: TaskID | None = None
        self._unit = ""
        self._began = self._looked = 0.0
        self._from: int | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, stage: str, total: int, unit: str) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(stage, total=total, rate="")
        self._unit, self._from = unit, None

    def at(self, done: int) -> None:
        now = time.perf_counter()
        if self._from is None:  # what an earlier build has done is no speed of this one's
            self._from, self._began, self._looked = done, now, 0.0
        if self._task is None or now - self._looked < REFRESH:
            return
        self._looked = now
        rate = (done - self._from) / max(now - self._began, 1e-9)
        said = f"{rate / 1e6:.1f} MB/s" if self._unit == "bytes" else f"{rate:,.0f} {self._unit}/s"
        self._progress.update(self._task, completed=done, rate=said if rate else "")
