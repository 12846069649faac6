"""A request to stop, by SIGTERM or Ctrl-C, that is heeded where nothing is half done.

An exception that a signal raises wherever the program is may be raised inside a library, which swallows it or aborts.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_asked = threading.Event()


class Stopped(KeyboardInterrupt):
    """It was asked for, and is heeded where nothing is half done."""


@contextmanager
def deferred() -> Iterator[None]:
    """Note the first SIGTERM or SIGINT until whoever works heeds it; the second one ends the work at once."""
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return
    _asked.clear()
    before = {number: signal.signal(number, _note) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()


def _note(number: int, frame: FrameType | None) -> None:
    if _asked.is_set():
        signal.default_int_handler(number, frame)
    _asked.set()


def heed() -> None:
    """To be called where work can end.

    Raises:
        Stopped: it was asked for since.
    """
    if _asked.is_set():
        _asked.clear()
        raise Stopped
