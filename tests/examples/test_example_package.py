"""The example package, as a user has it: installed by pip, tested by its own tests, run by the name of its variant."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Lvm

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "lvm-plugin-mingru"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of its source, and the folder it is installed in."""
    folder = tmp_path_factory.mktemp("example")
    source, site = folder / EXAMPLE.name, folder / "site"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    flags = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [sys.executable, "-m", "pip", "install", *flags, "--target", str(site), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return source, site


def test_it_keeps_every_promise_and_passes_its_own_tests(installed: tuple[Path, Path]) -> None:
    source, site = installed
    env = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=source, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " on 2 components of lvm-plugin-mingru\n" in done.stdout


def test_its_variant_runs_by_name_and_its_model_says_where_it_comes_from(
    installed: tuple[Path, Path], lvm: Lvm, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(installed[1]))
    run = json.loads(lvm("run", "mingru", "--size", "toy", "--epochs", "2", "--data", small, "--json").stdout)
    assert (run["status"], run["variant"]["title"]) == ("finished", "minGRU")
    assert {"dist": "lvm-plugin-mingru", "plugin": "mingru", "version": "0.1.0"} in run["plugins"]
    assert {"mse", "varcov"} <= set(json.loads(Path(run["path"], "epochs.jsonl").read_text().splitlines()[0])["terms"])
    assert "lvm-plugin-mingru==0.1.0" in lvm("plugins", "--requirements").stdout.splitlines()
