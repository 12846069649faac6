"""How long 1,000 resamples of all figures take on 5,000 windows, in seconds of wall time.

    python benchmarks/bootstrap_speed.py [--windows 5000] [--articles 60 250 800] [--repeats 5] [--json]

As many columns as an evaluation has, filled at random, in articles of equal length.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time

import numpy as np

from lvmcore.device import processor_name
from lvmcore.evaluation.statistics import RESAMPLES, Statistics

COLUMNS = 50
"""An evaluation under `5cat` has 49."""


def resample(windows: int, articles: int) -> float:
    """Seconds for the figures of all columns, intervals and all."""
    random = np.random.default_rng(0)
    columns = {str(i): random.random(windows, np.float32) for i in range(COLUMNS)}
    groups = np.arange(windows) * articles // windows
    began = time.perf_counter()
    found = Statistics(columns, groups, RESAMPLES)
    for name in columns:
        found.figure(name)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=5000)
    parser.add_argument("--articles", type=int, nargs="+", default=[60, 250, 800])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    times = {count: [resample(asked.windows, count) for _ in range(asked.repeats)] for count in asked.articles}
    machine = {"processor": processor_name(), "cores": os.cpu_count(), "numpy": np.__version__}
    if asked.json:
        print(json.dumps({"machine": machine, "windows": asked.windows, "seconds": times}, indent=1))
        return
    print(f"{machine['processor']}, numpy {machine['numpy']}, {platform.system()};", end=" ")
    print(f"medians of {asked.repeats}, {asked.windows:,} windows\n\n| articles | seconds (min … max) |\n|---|---|")
    for count, found in times.items():
        print(f"| {count} | {statistics.median(found):.2f} ({min(found):.2f} … {max(found):.2f}) |")


if __name__ == "__main__":
    main()
