"""Small models behind the application, and behind a server that listens, shared by the tests of serving."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import torch

from lvmcore.data.corpus import Corpus
from lvmcore.model import build_model
from lvmcore.registry import Registry
from lvmcore.serving.application import Served, application
from lvmcore.serving.door import Door, listening
from lvmcore.serving.limits import Limits
from lvmcore.serving.server import web_server
from lvmcore.serving.wire.guard import Guard
from lvmcore.serving.wire.log import Log
from lvmcore.serving.wire.metrics import Metrics

DIM, CONTEXT = 8, 5
JSON = {"content-type": "application/json"}
QUICK = Limits(
    headers_within=0.5,
    keep_alive=1,
    body_within=0.5,
    unread_within=1,
    drained_within=0.5,
    stop_within=1,
    connections=80,
)
"""Deadlines that a test can wait for."""


def toy(registry: Registry, corpus: Corpus | None = None, dim: int = DIM) -> Served:
    torch.manual_seed(0)
    return Served("toy", build_model("amn", "", dim, CONTEXT, registry, "toy").eval(), "fp32", {"dim": dim}, corpus)


def guarded(served: Served, limits: Limits | None = None, token: str | None = None, log: Log | None = None) -> Guard:
    from lvmcore.serving.door import Hosts

    hosts = Hosts(frozenset({"localhost", "testserver"}))
    return application(served, limits or Limits(), log or Log(io.StringIO()), Metrics(), hosts, token)


@attrs.define(eq=False)
class Live:
    """A server that listens, in a thread of its own."""

    door: Door
    server: Any
    log: io.StringIO

    @property
    def port(self) -> int:
        return int(self.door.url.rpartition(":")[2])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def health(self) -> float:
        """Seconds that GET /health takes on a connection of its own."""
        began = time.perf_counter()
        with self.connect() as door:
            door.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            assert received(door).endswith(b'{"status":"ok"}')
        return time.perf_counter() - began

    def logs(self, text: str) -> bool:
        """Whether the log says it, or does within some seconds."""
        began = time.perf_counter()
        while text not in self.log.getvalue() and time.perf_counter() - began < 5:
            time.sleep(0.02)
        return text in self.log.getvalue()


@contextmanager
def live(served: Served, limits: Limits = QUICK, token: str | None = None) -> Iterator[Live]:
    stream = io.StringIO()
    with listening("127.0.0.1", 0) as door:
        log = Log(stream)
        server = web_server(served, door.hosts, token, limits, log)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door.socket]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield Live(door, server, stream)
        finally:
            server.should_exit = True
            thread.join(20)
            log.stop()
        assert not thread.is_alive()


def received(door: socket.socket) -> bytes:
    """All that comes until the other side closes, or cuts off."""
    found = b""
    try:
        while chunk := door.recv(1 << 16):
            found += chunk
    except ConnectionError:
        pass
    return found


def request(body: bytes, *headers: str, path: str = "/predict", length: int | None = None) -> bytes:
    """A POST as bytes."""
    said = ["content-type: application/json", *headers, f"content-length: {len(body) if length is None else length}"]
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: localhost", *said, "", ""]).encode() + body
