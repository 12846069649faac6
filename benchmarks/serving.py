"""What lvm serve answers on loopback: latency, requests a second, memory, and /health meanwhile.

    python benchmarks/serving.py [--model amn,transformer] [--clients 1,32] [--seconds 5] [--json]

A model of the bundled corpus's shape (5 rows of 384 numbers, fresh weights) is served by a process of its own. Each
client keeps one connection and asks one context at a time, as JSON or as float16, and asks again when it is answered.
Beside it: the same model called in a loop, in a process that does nothing else, in batches of as many contexts as there
are clients. A process of its own asks /health twenty times a second all the while, and in the same breath a server that
does nothing but answer that: what it takes is the machine's doing. Then one client asks 4,096 contexts as float16 while
the others ask one. Memory is the server's resident set, before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attrs
import torch

from lvmcore.checkpoint import load_model, save_model
from lvmcore.device import processor_name
from lvmcore.model import build_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

CONTEXT, DIM, MANY = 5, 384, 4_096
HEALTHY = b'{"status":"ok"}'


@attrs.frozen
class Times:
    """What some clients saw."""

    seconds: list[float]
    """Of each request, sorted."""
    lasted: float

    def at(self, share: float) -> float:
        """Milliseconds within which this share of the requests was answered."""
        return self.seconds[min(int(share * len(self.seconds)), len(self.seconds) - 1)] * 1000

    def document(self) -> dict[str, float]:
        return {
            "p50_ms": self.at(0.5),
            "p99_ms": self.at(0.99),
            "max_ms": self.seconds[-1] * 1000,
            "requests_s": len(self.seconds) / self.lasted,
        }


def request(count: int, form: str) -> bytes:
    """A request for so many contexts, as bytes."""
    rows = torch.randn(count, CONTEXT, DIM, generator=torch.Generator().manual_seed(0))
    kind = "application/json"
    if form == "float16":
        kind = f"application/octet-stream;dtype=float16;shape={count},{CONTEXT},{DIM}"
        body = rows.half().numpy().tobytes()
    else:
        body = json.dumps({"contexts": rows.tolist()}).encode()
    head = f"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Bare(BaseHTTPRequestHandler):
    """A server that does nothing but say that it lives."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(HEALTHY)))
        self.end_headers()
        self.wfile.write(HEALTHY)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def serve_bare(told: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bare)
    told.send(server.server_port)
    server.serve_forever()


def health(ports: Sequence[int], seconds: float) -> list[float]:
    """Milliseconds that /health takes at most, of each of some servers that are asked in turn."""
    webs, longest = [HTTPConnection("127.0.0.1", port) for port in ports], [0.0] * len(ports)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for number, web in enumerate(webs):
            began = time.perf_counter()
            web.request("GET", "/health")
            assert web.getresponse().read() == HEALTHY
            longest[number] = max(longest[number], time.perf_counter() - began)
            time.sleep(0.05 / len(ports))
    for web in webs:
        web.close()
    return [1000 * one for one in longest]


@attrs.frozen
class Beside:
    """Who asks /health meanwhile."""

    asks: Executor
    """A process of its own."""
    bare: int
    """The port of the server that does nothing else."""


@contextmanager
def processes() -> Iterator[Beside]:
    """Who asks /health, and the server that does nothing but answer it."""
    spawned = get_context("spawn")  # nothing of this process's threads goes along
    hears, tells = spawned.Pipe(duplex=False)
    bare = spawned.Process(target=serve_bare, args=(tells,), daemon=True)
    bare.start()
    try:
        with ProcessPoolExecutor(1, spawned) as asks:
            yield Beside(asks, hears.recv())
    finally:
        bare.terminate()


async def answer(reader: asyncio.StreamReader) -> int:
    """Read a whole answer; gives its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if found := re.search(rb"content-length: (\d+)", head):
        await reader.readexactly(int(found[1]))
    else:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(head.split(maxsplit=2)[1])


async def client(port: int, asked: bytes, until: float, times: list[float]) -> None:
    """Ask until a time, one request after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    while (began := time.perf_counter()) < until:
        writer.write(asked)
        assert await answer(reader) == 200
        times.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()


async def measured(
    port: int, clients: int, asked: bytes, seconds: float, beside: Beside, *, large: bool = False
) -> dict[str, Any]:
    """What clients see, and what /health takes meanwhile; `large` with one client more, who asks many contexts."""
    times, of_large = [], []
    both = (port, beside.bare)
    longest = asyncio.get_running_loop().run_in_executor(beside.asks, health, both, seconds)
    began = time.perf_counter()
    until = began + seconds
    many = asyncio.create_task(client(port, request(MANY, "float16"), until if large else 0, of_large))
    await asyncio.gather(*(client(port, asked, until, times) for _ in range(clients)))
    found: dict[str, Any] = Times(sorted(times), time.perf_counter() - began).document()
    await many
    if large:
        found["large_s"] = sum(of_large) / len(of_large)
    own, bare = await longest
    return {**found, "health_max_ms": own, "bare_max_ms": bare}


def loop(file: Path, batch: int, seconds: float) -> dict[str, float]:
    """The model called in a loop."""
    model = load_model(file, Registry(Plugins(only=())))[0]
    rows = torch.randn(batch, CONTEXT, DIM, generator=torch.Generator().manual_seed(0))
    model.predict(rows)
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < seconds:
        at = time.perf_counter()
        model.predict(rows)
        times.append(time.perf_counter() - at)
    found = Times(sorted(times), time.perf_counter() - began).document()
    found["requests_s"] *= batch
    return found


def resident(pid: int) -> float:
    """Megabytes of a process that are in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1000


@contextmanager
def server(file: Path) -> Iterator[tuple[int, int]]:
    """lvm serve with a model, as long as it is held: its port, and its process."""
    command = [sys.executable, "-m", "lvmcore", "serve", str(file), "--port", "0", "--no-access-log"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line
        yield int(found[1]), process.pid
    finally:
        process.terminate()
        process.communicate()


def served(file: Path, asked: argparse.Namespace, beside: Beside) -> dict[str, Any]:
    """All figures of one server."""
    with server(file) as (port, process):
        asyncio.run(measured(port, 4, request(1, "json"), 1, beside))  # the first answers are slow
        before, rows = resident(process), []
        for form in ("json", "float16"):
            for clients in asked.clients:
                one = asyncio.run(measured(port, clients, request(1, form), asked.seconds, beside))
                rows.append({"what": f"{form}, {clients} clients", **one})
        few = max(asked.clients)
        one = asyncio.run(measured(port, few, request(1, "float16"), asked.seconds, beside, large=True))
        rows.append({"what": f"float16, {few} clients beside one of {MANY:,} contexts", **one})
        return {"rows": rows, "before_mb": before, "after_mb": resident(process)}


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="amn,transformer", help="architectures, separated by commas")
    parser.add_argument("--clients", type=numbers, default=[1, 32])
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    machine = {"processor": processor_name(), "cores": os.cpu_count(), "torch": torch.__version__}
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, processes() as beside:
        for arch in asked.model.split(","):
            file = Path(name) / f"{arch}.safetensors"
            torch.manual_seed(0)
            save_model(file, build_model(arch, "", DIM, CONTEXT, Registry(Plugins(only=()))), {})
            plain = [{"what": f"a loop, batches of {n}", **loop(file, n, asked.seconds)} for n in asked.clients]
            found = served(file, asked, beside)
            results[arch] = {**found, "rows": [*plain, *found["rows"]]}
    if asked.json:
        print(json.dumps({"machine": machine, "results": results}, indent=1))
        return
    print(f"{machine['processor']}, {machine['cores']} cores, torch {machine['torch']}, {platform.system()};")
    print(f"{torch.get_num_threads()} threads; {asked.seconds:g} s each, contexts of {CONTEXT} × {DIM}\n")
    print("| model | what | p50 ms | p99 ms | contexts/s | /health at most, ms | of the bare server |")
    print("|---|---|---|---|---|---|---|")
    for arch, found in results.items():
        for row in found["rows"]:
            health, bare = (f"{row[key]:.1f}" if key in row else "" for key in ("health_max_ms", "bare_max_ms"))
            large = f"; the large one took {row['large_s']:.1f} s" if "large_s" in row else ""
            print(
                f"| {arch} | {row['what']}{large} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} "
                f"| {row['requests_s']:.0f} | {health} | {bare} |"
            )
    print()
    for arch, found in results.items():
        print(f"{arch}: {found['before_mb']:.0f} MB in memory before, {found['after_mb']:.0f} MB after")


if __name__ == "__main__":
    main()
