"""The reproduction knows what it has done, and carries out nothing that is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPRODUCE = Path(__file__).resolve().parents[2] / "examples" / "reproduction" / "reproduce.py"


def test_all_that_it_runs_on_the_bundled_corpus_is_done() -> None:
    done = subprocess.run([sys.executable, str(REPRODUCE), "--list"], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"1/{len(lines)}  done  lvm run p1 --data wiki --seed 0")
    assert all("  done  lvm run " in line for line in lines)
