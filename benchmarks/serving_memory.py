"""The memory that lvm serve takes over an hour of mixed requests.

    python benchmarks/serving_memory.py [--minutes 60] [--arch amn] [--json]

A model of the bundled corpus's shape is served by a process of its own, and asked by clients that never stop: one
context as JSON, one as float16, 4,096 as float16 every ten seconds; bodies that are no request, and clients that leave
in the middle of one. The resident set of the server is noted twelve times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from serving import CONTEXT, DIM, MANY, answer, request, resident, server

from lvmcore.checkpoint import save_model
from lvmcore.device import processor_name
from lvmcore.model import build_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

NOTES = 12


async def asking(port: int, what: str, asked: bytes, pause: float, seen: Counter[str]) -> None:
    """Ask, on a connection of its own each time."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        writer.write(asked)
        assert await answer(reader) == 200
        writer.close()
        seen[what] += 1
        await asyncio.sleep(pause)


async def offending(port: int, seen: Counter[str]) -> None:
    """Send what is no request."""
    for number in range(1 << 62):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        body = b'{"contexts": [[' * (number % 50) + b"\xff\x00" * (number % 400)
        head = "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        assert 400 <= await answer(reader) < 500
        seen["refused"] += 1
        writer.close()
        await asyncio.sleep(0.1)


async def leaving(port: int, asked: bytes, seen: Counter[str]) -> None:
    """Leave in the middle of a request, and without waiting for an answer."""
    for number in range(1 << 62):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked[: len(asked) // (1 + number % 2)])
        with suppress(ConnectionError):
            await writer.drain()
        writer.transport.abort()
        seen["left"] += 1
        await asyncio.sleep(0.2)


async def watched(port: int, pid: int, minutes: float) -> list[dict[str, Any]]:
    """What the server's memory was, note by note, and what had been answered by then."""
    seen: Counter[str] = Counter()
    began = time.perf_counter()
    work = [
        asking(port, "json", request(1, "json"), 0.01, seen),
        asking(port, "float16", request(1, "float16"), 0.01, seen),
        asking(port, "large", request(MANY, "float16"), 10, seen),
        offending(port, seen),
        leaving(port, request(256, "float16"), seen),
    ]
    tasks = [asyncio.ensure_future(one) for one in work]
    notes = [{"minute": 0.0, "mb": resident(pid), "seen": {}}]
    for number in range(1, NOTES + 1):
        until = began + 60 * minutes * number / NOTES
        done, _ = await asyncio.wait(tasks, timeout=until - time.perf_counter(), return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()  # which raises what ended it
        notes.append({"minute": minutes * number / NOTES, "mb": resident(pid), "seen": dict(seen)})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--arch", default="amn")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / f"{asked.arch}.safetensors"
        torch.manual_seed(0)
        save_model(file, build_model(asked.arch, "", DIM, CONTEXT, Registry(Plugins(only=()))), {})
        with server(file) as (port, pid):
            notes = asyncio.run(watched(port, pid, asked.minutes))
    machine = {"processor": processor_name(), "cores": os.cpu_count(), "torch": torch.__version__}
    if asked.json:
        print(json.dumps({"machine": machine, "notes": notes}, indent=1))
        return
    print(f"{machine['processor']}, {machine['cores']} cores, torch {machine['torch']}, {platform.system()};")
    print(f"{asked.arch}, contexts of {CONTEXT} × {DIM}\n")
    heads = ["json", "float16", "large", "refused", "left"]
    print(f"| minute | MB in memory | {' | '.join(heads)} |\n|{'---|' * (2 + len(heads))}")
    for note in notes:
        counts = " | ".join(f"{note['seen'].get(head, 0):,}" for head in heads)
        print(f"| {note['minute']:g} | {note['mb']:.0f} | {counts} |")


if __name__ == "__main__":
    main()
