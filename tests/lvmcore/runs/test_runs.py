"""Run folders, whole files, and the comparison made of them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lvmcore.errors import LvmError, MachineError
from lvmcore.expression import parse_one
from lvmcore.registry import Registry
from lvmcore.report.comparison import compare
from lvmcore.runs.folder import all_runs, find_run
from lvmcore.runs.run import Run


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
        "corpus": {"name": corpus, "digest": f"sha256:{corpus}"},
        **document,
        "yardsticks": {"copy-last": document},
    }


def finished(root: Path, name: str, cosine: float, corpus: str = "wiki", protocol: str = "5cat", **facts: Any) -> Run:
    run = Run.create(root, name, ["lvm", "run"])
    run.update(corpus={"name": corpus}, parameters=1_000_000, variant={"arch": "amn", "loss": "mse|x"}, **facts)
    run.write_evaluation(evaluation(cosine, corpus, protocol))
    run.finish("finished")
    return run


def test_a_run_whose_process_was_killed_reads_as_interrupted(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from lvmcore.runs.run import Run\n"
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


@pytest.mark.parametrize("text", ["{", "[]", "3", "{}", '{"status": "finished"}', '{"name": "x"}'])
def test_a_folder_whose_record_is_none_is_named_alone_and_left_out_of_the_others(text: str, tmp_path: Path) -> None:
    good, bad = finished(tmp_path, "good", 0.5), finished(tmp_path, "bad", 0.5)
    (bad.path / "run.json").write_text(text)
    assert [run.path for run in all_runs(tmp_path)] == [good.path]
    with pytest.raises(LvmError) as caught:
        find_run(str(bad.path), tmp_path)
    assert caught.value.where == str(bad.path / "run.json")


@pytest.mark.parametrize("name", ["evaluation.json", "epochs.jsonl"])
def test_a_file_of_a_run_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    run = finished(tmp_path, "x", 0.5)
    (run.path / name).write_text('{"a":')
    with pytest.raises(LvmError, match="the file is no JSON") as caught:
        (run.document_by if name.startswith("evaluation") else lambda: run.epochs)()
    assert caught.value.where == str(run.path / name)


def test_a_name_that_no_folder_can_have_is_made_to_fit(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "transformer+residual:0.5/é |", [])
    assert run.path.parent == tmp_path
    assert "transformer-residual-0.5-é--" in run.path.name
    assert Run.open(run.path).record["name"] == "transformer+residual:0.5/é |"


def test_a_folder_that_cannot_be_made_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be made") as caught:
        Run.create(tmp_path / "file", "x", [])
    assert "--runs" in (caught.value.fix or "")


def test_a_run_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "x", [])
    run.delete()
    assert not list(tmp_path.iterdir())


def test_a_run_is_found_by_folder_name_id_and_latest(tmp_path: Path) -> None:
    first, second = finished(tmp_path, "one", 0.5), finished(tmp_path, "two", 0.6)
    assert find_run(str(first.path), tmp_path).path == first.path
    assert find_run(first.path.name, tmp_path).path == first.path
    assert find_run(first.path.name[-4:], tmp_path).path == first.path
    assert find_run("two", tmp_path).path == second.path
    assert find_run("latest", tmp_path).path == second.path
    with pytest.raises(LvmError, match="means 2 runs"):
        find_run("20", tmp_path)
    with pytest.raises(LvmError, match="there is no run 'three'"):
        find_run("three", tmp_path)


def test_the_best_is_marked_among_runs_measured_alike(tmp_path: Path, registry: Registry) -> None:
    for name, cosine, corpus, protocol in (
        ("low", 0.5, "wiki", "5cat"),
        ("high", 0.6, "wiki", "5cat"),
        ("elsewhere", 0.9, "kjv", "5cat"),
        ("otherwise", 0.8, "wiki", "5cat-2025"),
    ):
        finished(tmp_path, name, cosine, corpus, protocol)
    comparison = compare(all_runs(tmp_path), registry, reported=())
    rows = {row.model: row for row in comparison.rows}
    assert rows["otherwise"].figures["val_cos"] == 0.8
    assert {name: comparison.is_best(row, comparison.columns[0]) for name, row in rows.items()} == {
        "low": False,
        "high": True,
        "elsewhere": False,
        "otherwise": False,
    }
    assert sorted(row.corpus for row in comparison.yardsticks) == ["kjv", "wiki"]
    assert not any(comparison.is_best(row, comparison.columns[0]) for row in comparison.yardsticks)


def test_every_report_format_holds_every_run(tmp_path: Path, registry: Registry) -> None:
    for cosine in (0.5, 0.6):
        finished(tmp_path, f"run{cosine}", cosine)
    comparison = compare(all_runs(tmp_path), registry)

    def written(form: str) -> Any:
        return registry.make("report", parse_one(form)).build()(comparison)

    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert [row["model"] for row in rows] == [*(row.model for row in comparison.rows), "copy-last"]
    assert {float(row["val_cos"]) for row in rows[:2]} == {0.5, 0.6}
    assert len(json.loads(written("json"))["rows"]) == 2
    document = written("markdown")
    table = [line for line in document.split("\n## ")[0].splitlines() if line.startswith("|")]
    assert len(table) == 2 + 3
    assert "**0.600**" in document
    assert all(line.replace("\\|", "").count("|") == 13 for line in table)
    assert [line for line in document.splitlines() if line.startswith("## ")] == [
        "## 2. run0.6",
        "## 1. run0.5",
        "## Timeline",
        "## Sizes",
        "## Deployed",
    ]
    assert {table.row_count for table in written("table").tables} == {3}
    assert len(registry.all("report")) >= 4


def test_a_run_without_an_evaluation_shows_its_best_validation(tmp_path: Path, registry: Registry) -> None:
    run = Run.create(tmp_path, "half", [])
    figures = {"val_cos": 0.4, "margin": -0.1, "r1": 0.0, "r5": 0.2}
    run.write_epochs([{"epoch": 1, "best": True, **figures}, {"epoch": 2, "best": False, **figures, "val_cos": 0.3}])
    comparison = compare([run], registry)
    (row,) = comparison.rows
    figures = (row.figures["val_cos"], row.figures["margin"])
    assert (*figures, comparison.gates_text(row)) == (0.4, -0.1, "–")
