"""What holds while a server runs, and no longer."""

from __future__ import annotations

import gc
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from lvmcore.serving import server
from lvmcore.serving.limits import Limits


def test_what_was_imported_is_no_garbage_while_the_server_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, float]] = []

    def running(sockets: list[Any]) -> None:
        seen.append((gc.get_freeze_count(), sys.getswitchinterval()))

    monkeypatch.setattr(server, "web_server", lambda *given: SimpleNamespace(run=running))
    before, door = sys.getswitchinterval(), SimpleNamespace(hosts=None, socket=None)
    server.run(SimpleNamespace(), door, None, Limits(), None, lambda: None)  # pyright: ignore[reportArgumentType]
    ((frozen, interval),) = seen
    assert frozen > 10_000
    assert interval < before
    assert (gc.get_freeze_count(), sys.getswitchinterval()) == (0, before)
