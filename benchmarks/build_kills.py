"""Whether a build that is killed (SIGKILL) at random moments, again and again, makes the corpus that it makes unharmed.

    python benchmarks/build_kills.py [--kills 50] [--words 300000] [--seed 0]

A folder of drawn text (long and short files, a packed one of many articles, copies) is built once unharmed, then in
processes that are killed at a moment between the first import and the last written byte, drawn evenly; each is followed
by another one of the same command until one comes to its end. Corpus and texts must be the same bytes. Blocks are
small (200 chunks read, 100 encoded), so that there are many moments to be killed at.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def write_texts(folder: Path, words: int, draw: random.Random) -> None:
    """Drawn text of so many words."""
    known = ["".join(draw.choices(LETTERS, k=draw.randint(2, 9))) for _ in range(5000)]

    def text(count: int) -> str:
        said = draw.choices(known, k=count)
        return ". ".join(" ".join(said[i : i + 12]) for i in range(0, count, 12))

    folder.mkdir()
    (folder / "long.txt").write_text(text(words // 3))
    lines = [json.dumps({"title": f"line {i}", "text": text(words // 300)}) for i in range(100)]
    (folder / "lines.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    for i in range(100):
        (folder / f"{i:03}.txt").write_text(text(words // 300))
    (folder / "copy.txt").write_text((folder / "007.txt").read_text())


def begin(place: Path, name: str) -> subprocess.Popen[str]:
    """A build in a process of its own, at the moment when it begins."""
    command = [sys.executable, __file__, "--build", str(place), name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def build(place: Path, name: str) -> None:
    """One build in this process."""
    from lvmcore import Lab
    from lvmcore.building import encoding, reading

    reading.BLOCK, encoding.BLOCK = 200, 100
    lab = Lab(progress=False)
    print("begun", flush=True)
    lab.corpora.build(place / name, place / "texts", encoder="hash", chunker="words:20")


def made(place: Path, name: str) -> list[bytes]:
    return [(place / f"{name}{suffix}").read_bytes() for suffix in (".safetensors", ".texts.jsonl")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--words", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--build", nargs=2, metavar=("FOLDER", "NAME"), help="one build in this process")
    asked = parser.parse_args()
    if asked.build:
        build(Path(asked.build[0]), asked.build[1])
        return
    draw = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_texts(place / "texts", asked.words, draw)
        process, began = begin(place, "mine"), time.perf_counter()
        if process.wait():
            sys.exit("a build that nothing harmed failed")
        seconds = time.perf_counter() - began
        whole = made(place, "mine")
        kills = corpora = 0
        while kills < asked.kills:
            for path in place.glob("mine.*"):
                path.unlink()
            while not (place / "mine.safetensors").exists() or list(place.glob(".mine.*")):
                process = begin(place, "mine")
                if kills < asked.kills:
                    try:
                        process.wait(draw.uniform(0, seconds))
                    except subprocess.TimeoutExpired:
                        process.kill()
                        kills += 1
                if process.wait() > 0:
                    sys.exit(f"a build failed after {kills} kills")
            corpora += 1
            if made(place, "mine") != whole:
                sys.exit(f"after {kills} kills a corpus differs from that which nothing harmed")
    print(f"{kills} kills in {corpora} builds of {seconds:.1f} s: every corpus and its texts the same")


if __name__ == "__main__":
    main()
