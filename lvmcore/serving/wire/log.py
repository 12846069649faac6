"""The access log: a line an exchange, written by a thread, so that a reader that is slow or gone stops nobody."""

from __future__ import annotations

import logging
import queue
import sys
import threading
from datetime import UTC, datetime
from typing import TextIO

import attrs

from lvmcore.plain import clean

WAITING = 1_000
"""Lines that may wait to be written; further ones are counted, and left out."""
LONGEST = 200
"""Characters of an address that are shown."""


@attrs.frozen
class Line:
    """What is told of an exchange."""

    client: str
    method: str
    target: str
    """The path as the client wrote it, without what follows `?`."""
    status: int
    received: int
    """Bytes of the body."""
    sent: int
    seconds: float

    def __str__(self) -> str:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        target = self.target.encode("ascii", "backslashreplace").decode()[:LONGEST]
        return clean(
            f"{now} {self.client} {self.method[:20]} {target} {self.status} "
            f"in={self.received} out={self.sent} ms={self.seconds * 1000:.1f}"
        ).replace("\n", " ")


class Log(logging.Handler):
    """Writes a line for each exchange, and faults of the server, those that uvicorn tells of among them.

    Args:
        stream: None for none, but for faults, which go to standard error.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(logging.ERROR)
        self._stream: TextIO | None = stream or sys.stderr
        self._accesses = stream is not None
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING)
        self._left_out = 0
        self._thread = threading.Thread(target=self._write, name="lvm-log", daemon=True)
        self._thread.start()

    def exchange(self, line: Line) -> None:
        if self._accesses:
            self.say(str(line))

    def say(self, text: str) -> None:
        try:
            if self._left_out:
                self._lines.put_nowait(f"({self._left_out:,} lines were left out: nobody read them in time)")
                self._left_out = 0
            self._lines.put_nowait(text)
        except queue.Full:
            self._left_out += 1

    def emit(self, record: logging.LogRecord) -> None:
        self.say(clean(self.format(record)))

    def stop(self, seconds: float = 1) -> None:
        """Write what waits, unless it takes too long."""
        try:
            self._lines.put(None, timeout=seconds)
            self._thread.join(seconds)
        except queue.Full:
            pass

    def _write(self) -> None:
        while (text := self._lines.get()) is not None:
            try:
                if self._stream is not None:
                    self._stream.write(f"{text}\n")
                    self._stream.flush()
            except (OSError, ValueError):  # whoever read it has gone
                self._stream = None
