"""How many chunks of 40 words an encoder turns into vectors a second, by precision and threads, and what bf16 costs.

    python benchmarks/encoding_speed.py [--encoder minilm] [--texts 512] [--threads 1 2] [--rounds 3] [--json]

The text is English prose that Python itself carries, the topics of its help without their code. The settings take
turns; the first round warms up and is not counted. What bf16 costs is the cosine of each row to the row in fp32, and as
a yardstick the cosine of each row to the nearest other row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from pydoc_data.topics import topics

import numpy as np
import torch

from lvmcore.data.sources.text import Encoding
from lvmcore.device import processor_name, resolve
from lvmcore.expression import parse
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

WORDS = 40
PLAIN = re.compile(r"[A-Za-z'-]+[.,;:?!]?")


def chunks(count: int) -> list[str]:
    """Some chunks from all over the text."""
    words = [word for name in sorted(topics) for word in topics[name].split() if PLAIN.fullmatch(word)]
    found = [" ".join(words[i : i + WORDS]) for i in range(0, len(words) - WORDS, WORDS)]
    return found[:: max(1, len(found) // count)][:count]


def rate(encoding: Encoding, texts: list[str], threads: int, clock: Callable[[], float]) -> float:
    """Texts a second."""
    torch.set_num_threads(threads)
    began = clock()
    encoding.encode(texts)
    return len(texts) / (clock() - began)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="minilm", help="a term, such as mpnet or sentence-transformers:MODEL")
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--all", action="store_true", help="bf16 where it isn't native, too")
    parser.add_argument(
        "--cpu-time", action="store_true", help="on a busy machine: the processor's time, in one thread"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    texts = chunks(asked.texts)
    component = Registry(Plugins(only=())).make("encoder", parse(asked.encoder).terms[0])
    native = asked.all or resolve("auto", asked.device) == "bf16"
    encodings = {name: component.build(asked.device, name) for name in ("fp32", *["bf16"] * native)}
    clock = time.process_time if asked.cpu_time else time.perf_counter
    threads = [1] if asked.cpu_time else asked.threads
    rates: dict[str, list[float]] = {f"{name}, {count}": [] for name in encodings for count in threads}
    for turn in range(asked.rounds + 1):
        for name, encoding in encodings.items():
            for count in threads:
                found = rate(encoding, texts[:64] if turn == 0 else texts, count, clock)
                if turn:
                    rates[f"{name}, {count}"].append(found)
    machine = {"processor": processor_name(), "cores": os.cpu_count(), "torch": torch.__version__}
    document = {"machine": machine, "encoder": asked.encoder, "texts": len(texts), "texts a second": rates}
    tokenizer = encodings["fp32"].tokenizer
    if tokenizer:
        document["tokens a text"] = statistics.mean(len(tokenizer(text)) for text in texts)
    if native:
        exact = unit(encodings["fp32"].encode(texts))
        near = (unit(encodings["bf16"].encode(texts)) * exact).sum(1)
        nearest = (exact @ exact.T - 2 * np.eye(len(exact))).max(1)
        document["cosine of bf16 to fp32"] = {"least": float(near.min()), "mean": float(near.mean())}
        document["cosine to the nearest other row"] = {"median": float(np.median(nearest))}
    if asked.json:
        print(json.dumps(document, indent=1))
        return
    print(f"{machine['processor']}, {machine['cores']} cores, {platform.system()}, torch {machine['torch']};")
    print(f"{len(texts)} texts of {WORDS} words, {document.get('tokens a text', 0):.0f} tokens\n")
    print(
        f"| encoder | precision, threads | texts/s{' of processor time' * asked.cpu_time} (min … max) |\n|---|---|---|"
    )
    for label, found in rates.items():
        median = statistics.median(found)
        print(f"| {asked.encoder} | {label} | {median:.0f} ({min(found):.0f} … {max(found):.0f}) |")
    for key in ("cosine of bf16 to fp32", "cosine to the nearest other row"):
        if key in document:
            print(f"\n{key}: " + ", ".join(f"{what} {value:.6f}" for what, value in document[key].items()))


if __name__ == "__main__":
    main()
