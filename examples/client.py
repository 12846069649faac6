"""Ask a model that `lvm serve` serves, with the standard library alone.

    python examples/client.py http://127.0.0.1:9007 --steps 3 < contexts.json
    LVM_TOKEN=… python examples/client.py http://models.example:9007 < contexts.json
    python examples/client.py unix:/run/lvm.sock --nearest 5 < contexts.json

`contexts.json` holds a list of contexts, each C rows of D numbers, the oldest row first.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import sys
import time
from http.client import HTTPConnection, HTTPException
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

Contexts = list[list[list[float]]]
OCTETS = "application/octet-stream"


class RefusedError(Exception):
    """The server said no, and why."""

    def __init__(self, status: int, error: dict[str, str | None]) -> None:
        said = [error["what"], *(f"{label}: {error[label]}" for label in ("where", "expected", "try") if error[label])]
        super().__init__(f"{status}: {'; '.join(map(str, said))}")
        self.status, self.error = status, error


class Client:
    """One connection to a server, made again where it was closed.

    Args:
        url: `http://HOST:PORT`, or `unix:PATH`.
        token: of the server, if it has one.
        patience: how often to come again where the server is busy.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 60, patience: int = 5) -> None:
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._patience = patience
        if url.startswith("unix:"):
            self._connection: HTTPConnection = _Unix(url.removeprefix("unix:"), timeout)
        else:
            self._connection = HTTPConnection(urlsplit(url).netloc, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._connection.close()

    def about(self) -> dict[str, Any]:
        """What the model is: its recipe, the shape that it reads, its figures."""
        return json.loads(self._ask("GET", "/"))

    def predict(self, contexts: Contexts) -> list[list[float]]:
        """The vector that follows each context."""
        return self._predicted("/predict", contexts)

    def rollout(self, contexts: Contexts, steps: int) -> list[list[list[float]]]:
        """Several steps ahead of each context."""
        flat = self._predicted(f"/rollout?steps={steps}", contexts)
        return [flat[begin : begin + steps] for begin in range(0, len(flat), steps)]

    def nearest(self, contexts: Contexts, steps: int = 1, count: int = 5) -> list[list[list[dict[str, Any]]]]:
        """The chunks of the server's corpus that are nearest to each step ahead of each context."""
        path = f"/nearest?{urlencode({'steps': steps, 'count': count})}"
        return json.loads(self._ask("POST", path, *_octets(contexts)))["nearest"]

    def _predicted(self, path: str, contexts: Contexts) -> list[list[float]]:
        """All vectors of an answer, one after the other."""
        content = self._ask("POST", path, *_octets(contexts))
        dim = len(contexts[0][0])
        numbers = struct.unpack(f"<{len(content) // 4}f", content)
        return [list(numbers[begin : begin + dim]) for begin in range(0, len(numbers), dim)]

    def _ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
        headers = {**self._headers, **({"content-type": kind} if kind else {})}
        for again in range(self._patience, -1, -1):
            try:
                self._connection.request(method, path, body, headers)
                answer = self._connection.getresponse()
            except (HTTPException, ConnectionError):  # an idle connection is closed after some seconds
                self._connection.close()
                if not again:
                    raise
                continue
            content = answer.read()
            if answer.status == 200:
                return content
            if answer.status != 503 or not again:
                raise RefusedError(answer.status, json.loads(content)["error"])
            time.sleep(float(answer.headers.get("retry-after", "1")))
        raise AssertionError


class _Unix(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _octets(contexts: Contexts) -> tuple[bytes, str]:
    """Contexts as float32, four bytes a number, and the header that says so; JSON takes five times as many."""
    shape = (len(contexts), len(contexts[0]), len(contexts[0][0]))
    numbers = [number for rows in contexts for row in rows for number in row]
    kind = f"{OCTETS};dtype=float32;shape={','.join(map(str, shape))}"
    return struct.pack(f"<{len(numbers)}f", *numbers), kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--nearest", type=int, default=0, metavar="K", help="show the K nearest chunks of each step")
    asked = parser.parse_args()
    contexts = json.load(sys.stdin)
    with Client(asked.url, os.environ.get("LVM_TOKEN")) as client:
        try:
            if asked.nearest:
                found: Any = client.nearest(contexts, asked.steps, asked.nearest)
            else:
                found = client.rollout(contexts, asked.steps)
        except RefusedError as refused:
            sys.exit(str(refused))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
