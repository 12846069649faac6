"""What the disk does to a run: nothing is left half made, made anew, or said wrongly."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import TOY, Lvm

from lvmcore.errors import MachineError
from lvmcore.locks import is_held, take
from lvmcore.runs.folder import listed_runs
from lvmcore.runs.run import Run


def failing(number: int) -> Any:
    def call(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "fcntl.flock"])
def test_a_run_that_cannot_begin_leaves_no_folder(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, failing(errno.ENOSPC))
    with pytest.raises(MachineError, match="No space left on device"):
        Run.create(tmp_path / "runs", "x", [])
    assert not list((tmp_path / "runs").iterdir())


def test_a_lock_that_fails_is_not_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(tmp_path, "x", [])
    run.release()
    monkeypatch.setattr("fcntl.flock", failing(errno.ENOLCK))
    for call in (lambda: take(run.path / ".lock"), lambda: is_held(run.path / ".lock"), run.lock):
        with pytest.raises(MachineError, match="cannot be locked: No locks available") as caught:
            call()
        assert caught.value.where == str(run.path / ".lock")
    (listed,) = listed_runs(tmp_path)  # marked as running; nobody knows whether it is
    assert listed.status == "damaged"
    assert "No locks available" in listed.record["reason"]


def test_nothing_in_a_folder_that_is_waited_for(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "x", [])
    run.finish("finished")
    run.release()
    for name in (".served-9007", "epochs.jsonl", "evaluation.json"):
        os.mkfifo(run.path / name)
    (listed,) = listed_runs(tmp_path)
    assert "it is no regular file" in listed.record["reason"]
    assert listed.served_at == []
    for name in ("epochs.jsonl", "evaluation.json"):
        (run.path / name).unlink()
    (run.path / "epochs.jsonl").symlink_to("/dev/zero")
    (listed,) = listed_runs(tmp_path)
    assert "it is no regular file" in listed.record["reason"]
    (run.path / "run.json").unlink()
    os.mkfifo(run.path / "run.json")
    (listed,) = listed_runs(tmp_path)
    assert listed.status == "damaged"


GONE = """
import shutil
from lvmcore import hookimpl

@hookimpl
def lvm_epoch_started(run, epoch):
    if epoch == 2:
        shutil.rmtree(run.path)
"""


def test_a_folder_that_is_deleted_during_the_training_is_not_made_anew(lvm: Lvm, small: Path) -> None:
    Path("gone.py").write_text(GONE)
    said = lvm(*TOY, small, "--plugin", "gone.py", status=3).stderr
    assert "a file cannot be written: its folder is not there" in said
    assert "a fault in the program" not in said
    assert not list(Path("runs").iterdir())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", '{"name": "x", "status": "finished", "schema": 99}', "the run was made by a newer lvm"),
        ("run.json", '{"name": "x", "status": "finished", "schema": "new"}', "schema: 'new' is no int"),
        ("run.json", '{"name": ["x"], "status": 3}', "name: ['x'] is no str; status: 3 is no str"),
        ("run.json", "[" * 100_000, "it is nested more than 64 deep"),
        ("evaluation.json", '{"schema": 99}', "the evaluation was made by a newer lvm"),
        ("evaluation.json", '{"protocol": 5}', "splits: the key 'splits' is missing"),
        ("epochs.jsonl", '{"epoch": "1"}', "line[0].epoch: '1' is no int"),
    ],
    ids=lambda value: value[:40],
)
def test_a_damaged_newest_run_is_named_and_no_older_one_taken(
    name: str, content: str, said: str, lvm: Lvm, small: Path
) -> None:
    lvm(*TOY, small)
    (old,) = Path("runs").iterdir()
    new = old.with_name("2999-01-01-000000-transformer-0000")
    shutil.copytree(old, new)
    (new / name).write_text(content)
    for words in (("runs",), ("compare",), ("compare", "--format", "markdown")):
        shown = lvm(*words).stdout
        assert (old.name if words == ("runs",) else "mse+dir:0.002") in shown
        lines = [line for line in shown.splitlines() if "damaged" in line]
        assert words[-1] == "markdown" or [said[:20] in line for line in lines] == [True]
        assert lines
    done = lvm("eval", "latest", status=2 if name == "run.json" else 0).stderr
    if name == "run.json":
        assert "the newest run is damaged: " in done
        assert str(new) in done
        note = lvm("eval", "transformer").stderr
        assert f"{new.name}, which is newer, is damaged and left out" in note
        statuses = {Path(run["path"]).name: run["status"] for run in json.loads(lvm("runs", "--json").stdout)}
        assert statuses == {old.name: "finished", new.name: "damaged"}
