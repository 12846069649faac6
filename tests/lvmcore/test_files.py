"""Files that are written whole or not at all, and JSON that any reader accepts."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lvmcore.errors import MachineError
from lvmcore.files import link_whole, to_json, write_whole

FULL = OSError(errno.ENOSPC, "No space left on device")


def raising(problem: BaseException) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> Any:
        raise problem

    return call


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "x.json"
    write_whole(path, "old", parents=True)
    return path


def test_a_new_content_replaces_the_old_and_everybody_may_read_it(old: Path) -> None:
    write_whole(old, "new é".encode())
    assert old.read_text("utf-8") == "new é"
    assert stat.S_IMODE(old.stat().st_mode) == 0o644
    assert [file.name for file in old.parent.iterdir()] == ["x.json"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_when_any_step_fails_the_old_file_stands_and_no_temporary_one_is_left(
    call: str, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, call, raising(FULL))
    with pytest.raises(MachineError, match="No space left") as caught:
        write_whole(old, "new")
    assert (caught.value.exit_status, caught.value.where) == (3, str(old))
    assert old.read_text() == "old"
    assert [file.name for file in old.parent.iterdir()] == ["x.json"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_keeps_its_second_name_when_the_first_is_written_anew(
    links: bool, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = old.with_name("y.json")
    write_whole(second, "older")
    if not links:
        monkeypatch.setattr(os, "link", raising(OSError(errno.EPERM, "Operation not permitted")))
    link_whole(old, second)
    write_whole(old, "new")
    assert (old.read_text(), second.read_text()) == ("new", "old")
    monkeypatch.setattr(os, "replace", raising(FULL))
    with pytest.raises(MachineError, match="No space left"):
        link_whole(old, second)
    assert second.read_text() == "old"
    assert sorted(file.name for file in old.parent.iterdir()) == ["x.json", "y.json"]


def test_only_what_killed_processes_left_is_taken_away(old: Path) -> None:
    for name in (".x.json.0123abcd", ".lock", ".served-9007", "x.json.0123abcd"):
        old.with_name(name).write_text("")
    write_whole(old, "new")
    assert {file.name for file in old.parent.iterdir()} == {"x.json", ".lock", ".served-9007", "x.json.0123abcd"}


def test_a_file_that_breaks_off_in_the_middle_never_takes_the_name(old: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(MachineError, match="File too large"):
            write_whole(old, b"x" * 50_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert old.read_text() == "old"
    assert [file.name for file in old.parent.iterdir()] == ["x.json"]


def test_an_interrupt_in_the_middle_leaves_the_old_file(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_whole(old, "new")
    assert old.read_text() == "old"
    assert [file.name for file in old.parent.iterdir()] == ["x.json"]


def test_a_folder_that_cannot_be_made_is_the_machines_fault_and_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be written") as caught:
        write_whole(tmp_path / "file" / "x.json", "new")
    assert caught.value.where == str(tmp_path / "file" / "x.json")


def test_json_has_no_numbers_that_json_lacks() -> None:
    document = {"a": float("nan"), "b": [float("inf"), 1.5, (float("-inf"), True)], "é": None}
    assert json.loads(to_json(document)) == {"a": None, "b": [None, 1.5, [None, True]], "é": None}
    assert "é" in to_json(document)


KILLED = """
import os, sys
from pathlib import Path
from lvmcore.files import whole_file
with whole_file(Path(sys.argv[1]), 0) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_the_temporary_file_of_a_dead_process_is_gone_at_the_next_write_and_that_of_a_living_one_stays(
    old: Path,
) -> None:
    def writer() -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        made = subprocess.Popen([sys.executable, "-c", KILLED, str(old)], text=True, **pipes)
        assert made.stdout is not None
        assert made.stdout.readline() == "writing\n"
        return made

    def temporary() -> set[str]:
        return {file.name for file in old.parent.iterdir()} - {"x.json", *others}

    others = {f".{old.name}.notes", ".x.jsonl.0123abcd", f"{old.name}.0123abcd"}  # which are the user's
    for name in others:
        (old.parent / name).write_text("mine")
    dead, living = writer(), writer()
    dead.kill()
    dead.communicate()
    assert len(temporary()) == 2
    write_whole(old, "new")
    assert len(temporary()) == 1
    living.communicate()
    assert living.returncode == 0
    assert (old.read_text(), temporary()) == ("half", set())
    assert all((old.parent / name).read_text() == "mine" for name in others)


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="its folder is not there"):
        write_whole(tmp_path / "gone" / "x.json", "new")
    assert not list(tmp_path.iterdir())
    write_whole(tmp_path / "new" / "x.json", "new", parents=True)


def test_a_name_of_any_length_that_fits_is_written(tmp_path: Path) -> None:
    for name in ("a" * 255, "é" * 127, "a" * 199 + "é" * 20):
        write_whole(tmp_path / name, "new")
        write_whole(tmp_path / name, "newer")
    assert len(list(tmp_path.iterdir())) == 3


def test_without_locks_a_file_is_written_all_the_same(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", raising(OSError(errno.ENOLCK, "No locks available")))
    write_whole(old, "new")
    assert [file.name for file in old.parent.iterdir()] == ["x.json"]
