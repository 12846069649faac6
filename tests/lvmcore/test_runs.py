"""Run folders, whole files, and the comparison made of them."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lvmcore.comparison import compare
from lvmcore.errors import LvmError, MachineError
from lvmcore.expression import parse_one
from lvmcore.files import to_json, write_whole
from lvmcore.registry import Registry
from lvmcore.runs import Run, all_runs, find_run


def evaluation(cosine: float, corpus: str = "wiki", protocol: str = "5cat") -> dict[str, Any]:
    figure = lambda value: {"value": value, "low": None, "high": None}  # noqa: E731
    val = {
        "cosine": figure(cosine),
        "A": {"margin": figure(cosine - 0.7)},
        "B": {"all": {"r1": figure(0.01), "r5": figure(cosine / 2)}},
    }
    gates = {"profile": "table", "passed": 1, "of": 5, "why": {}}
    document = {"splits": {"val": val}, "gates": gates}
    return {
        "protocol": protocol,
        "corpus": {"name": corpus, "digest": "d"},
        **document,
        "yardsticks": {"copy-last": document},
    }


def finished(root: Path, name: str, cosine: float, corpus: str = "wiki", **facts: Any) -> Run:
    run = Run.create(root, name, ["lvm", "run"])
    run.update(corpus={"name": corpus}, parameters=1_000_000, variant={"arch": "amn", "loss": "mse|x"}, **facts)
    run.write_evaluation(evaluation(cosine, corpus))
    run.finish("finished")
    return run


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder" / "x.json"
    write_whole(path, "old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="No space left") as caught:
        write_whole(path, "new")
    assert caught.value.exit_status == 3
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["x.json"]


def test_json_has_no_numbers_that_json_lacks() -> None:
    assert json.loads(to_json({"a": float("nan"), "b": [float("inf"), 1.5]})) == {"a": None, "b": [None, 1.5]}


def test_a_run_whose_process_was_killed_reads_as_interrupted(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from lvmcore.runs import Run\n"
        f"run = Run.create(Path({str(tmp_path)!r}), 'x', []); print(Run.open(run.path).status, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    assert printed == "running\n"
    (run,) = all_runs(tmp_path)
    assert run.status == "interrupted"


def test_a_run_that_is_held_cannot_be_taken(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "x", [])
    with pytest.raises(LvmError, match="another process"):
        Run.open(run.path).lock()


def test_a_run_is_found_by_folder_name_id_and_latest(tmp_path: Path) -> None:
    first, second = finished(tmp_path, "one", 0.5), finished(tmp_path, "two", 0.6)
    assert find_run(str(first.path), tmp_path).path == first.path
    assert find_run(first.path.name, tmp_path).path == first.path
    assert find_run(first.path.name[-4:], tmp_path).path == first.path
    assert find_run("two", tmp_path).path == second.path
    assert find_run("latest", tmp_path).path in (first.path, second.path)
    with pytest.raises(LvmError, match="means 2 runs"):
        find_run("2", tmp_path)
    with pytest.raises(LvmError, match="there is no run 'three'"):
        find_run("three", tmp_path)


def test_the_best_is_marked_among_runs_measured_alike(tmp_path: Path) -> None:
    for name, cosine, corpus in (("low", 0.5, "wiki"), ("high", 0.6, "wiki"), ("elsewhere", 0.9, "kjv")):
        finished(tmp_path, name, cosine, corpus)
    comparison = compare(all_runs(tmp_path))
    rows = {row.model: row for row in comparison.rows}
    assert {name: comparison.is_best(row, "val_cos") for name, row in rows.items()} == {
        "low": False,
        "high": True,
        "elsewhere": False,
    }
    assert sorted(row.corpus for row in comparison.yardsticks) == ["kjv", "wiki"]
    assert not any(comparison.is_best(row, "val_cos") for row in comparison.yardsticks)


def test_every_report_format_holds_every_run(tmp_path: Path, registry: Registry) -> None:
    for cosine in (0.5, 0.6):
        finished(tmp_path, f"run{cosine}", cosine)
    comparison = compare(all_runs(tmp_path))

    def written(form: str) -> Any:
        return registry.make("report", parse_one(form)).build()(comparison)

    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert [row["model"] for row in rows] == [*(row.model for row in comparison.rows), "copy-last"]
    assert {float(row["val_cos"]) for row in rows[:2]} == {0.5, 0.6}
    assert len(json.loads(written("json"))["rows"]) == 2
    lines = written("markdown").splitlines()
    assert len(lines) == 2 + 3
    assert "**0.600**" in written("markdown")
    assert all(line.replace("\\|", "").count("|") == 12 for line in lines)
    assert written("table").row_count == 3
    assert len(registry.all("report")) >= 4


def test_a_run_without_an_evaluation_shows_its_best_validation(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "half", [])
    figures = {"val_cos": 0.4, "margin": -0.1, "r1": 0.0, "r5": 0.2}
    run.write_epochs([{"epoch": 1, "best": True, **figures}, {"epoch": 2, "best": False, **figures, "val_cos": 0.3}])
    (row,) = compare([run]).rows
    assert (row.val_cos, row.margin, row.gates_text) == (0.4, -0.1, "–")
