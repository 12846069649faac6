"""How much memory a build takes as the text grows: one file of drawn sentences, and a folder of many; the hash encoder.

    python benchmarks/build_memory.py [--megabytes 10 100 1000] [--json]

Each size is built in a process of its own, as `lvm data build` does it: read, cut, freed of duplicates, encoded and
written. Half of the text is one file, half lies in files of 100 kB. Peak is that of the whole process (ru_maxrss).
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lvmcore import Lab
from lvmcore.device import processor_name

FILE = 100_000
"""Bytes of a small file."""
LETTERS = "etaoinshrdlu"


def write_texts(folder: Path, size: int) -> None:
    """So many bytes of drawn sentences, no two alike, of so few words that the encoder remembers all pairs of them."""
    draw = random.Random(0)
    known = ["".join(draw.choices(LETTERS, k=draw.randint(2, 9))) for _ in range(200)]

    def part() -> str:
        said = draw.choices(known, k=FILE // 6)
        return ".\n\n".join(" ".join(said[i : i + 60]) for i in range(0, len(said), 60))

    folder.mkdir()
    for i in range(size // 2 // FILE):
        (folder / f"{i:06}.txt").write_text(part())
    with (folder / "long.txt").open("w") as file:
        while file.tell() < size // 2:
            file.write(part() + ".\n\n")


def build(place: Path) -> dict[str, Any]:
    """One build in this process."""
    began = time.process_time()
    building = Lab(progress=False).corpora
    corpus = building.build(place / "mine", place / "texts", encoder="hash")
    return {
        "chunks": len(corpus),
        "articles": len(corpus.splits),
        "seconds": time.process_time() - began,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure(megabytes: int) -> dict[str, Any]:
    """One size in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_texts(place / "texts", megabytes * 1_000_000)
        command = [sys.executable, __file__, "--build", str(place)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return {"megabytes": megabytes, **json.loads(done.stdout)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--build", type=Path, help="build the texts of this folder in this process, and print its JSON")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.build is not None:
        print(json.dumps(build(asked.build)))
        return
    if not asked.json:
        print(f"{processor_name()}, {platform.system()}\n")
        print("| text, MB | articles | chunks | processor, s | peak, MB |\n|---|---|---|---|---|", flush=True)
    results = []
    for megabytes in asked.megabytes:
        results.append(found := measure(megabytes))
        if not asked.json:
            print(
                f"| {megabytes:,} | {found['articles']:,} | {found['chunks']:,} | {found['seconds']:.0f} | "
                f"{found['peak_mb']:.0f} |",
                flush=True,
            )
    if asked.json:
        print(json.dumps({"processor": processor_name(), "results": results}, indent=1))


if __name__ == "__main__":
    main()
