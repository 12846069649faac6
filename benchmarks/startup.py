"""How long the commands that need no torch take, beside an empty Python process, in seconds of wall time.

    python benchmarks/startup.py [--repeats 11] [--runs 20] [--json]

The commands see a folder of --runs runs, copies of one that was really made. Each command is also started once under
a watch that says whether torch was imported; the program ends with 1 where one was. The commands take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lvmcore import Lab
from lvmcore.device import processor_name

WATCH = """
import atexit, sys
atexit.register(lambda: print("torch" if "torch" in sys.modules else "none", file=sys.stderr))
from lvm_cli.main import main
sys.argv[0] = "lvm"
main()
"""


def make_runs(folder: Path, count: int) -> Path:
    """A folder of runs: one is trained at toy size, the others are copies of it."""
    lab = Lab(folder / "runs", progress=False)
    made = lab.train(arch="amn", size="toy", epochs=1, name="amn").path
    for i in range(1, count):
        shutil.copytree(made, made.with_name(f"{made.name}-{i:03d}"))
    return made


def wall(command: list[str], folder: Path) -> float:
    """Seconds from start to end of a process."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def imports_torch(words: list[str], folder: Path) -> bool:
    done = subprocess.run([sys.executable, "-c", WATCH, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stderr.split()[-1] == "torch"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--runs", type=int, default=20, help="runs in the folder")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    program = Path(sys.executable).with_name("lvm")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LVM_CACHE"] = str(folder / "cache")
        file = make_runs(folder, asked.runs) / "model.safetensors"
        lvm = {
            "lvm --help": ["--help"],
            "lvm runs": ["runs"],
            "lvm compare": ["compare"],
            "lvm show FILE": ["show", str(file)],
        }
        commands = {"python -c pass": [sys.executable, "-c", "pass"]}
        commands |= {label: [str(program), *words] for label, words in lvm.items()}
        times: dict[str, list[float]] = {label: [] for label in commands}
        for repeat in range(asked.repeats + 1):
            for label, command in commands.items():
                taken = wall(command, folder)
                if repeat:  # the first fills the disk's cache
                    times[label].append(taken)
        torch = {label: imports_torch(words, folder) for label, words in lvm.items()}
    machine = {"processor": processor_name(), "cores": os.cpu_count(), "python": platform.python_version()}
    if asked.json:
        print(json.dumps({"machine": machine, "runs": asked.runs, "seconds": times, "torch": torch}, indent=1))
    else:
        print(f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, {platform.system()};")
        print(f"medians of {asked.repeats}, a folder of {asked.runs} runs\n")
        print("| command | seconds (min … max) | imports torch |\n|---|---|---|")
        for label, found in times.items():
            loaded = "" if label not in torch else "yes" if torch[label] else "no"
            print(f"| `{label}` | {statistics.median(found):.3f} ({min(found):.3f} … {max(found):.3f}) | {loaded} |")
    sys.exit(1 if any(torch.values()) else 0)


if __name__ == "__main__":
    main()
