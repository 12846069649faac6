"""The run folder: what is written, and reading it back. Needs no torch."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from lvmcore.errors import LvmError, MachineError, nearest
from lvmcore.files import to_json, write_whole

SCHEMA = 1

DEFAULT_PROTOCOL = "5cat"
"""The protocol whose figures a run is known by: those of evaluation.json."""


class Run:
    """One run on disk: `run.json`, `epochs.jsonl`, `model.safetensors`, `evaluation.json`, `windows.safetensors`."""

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path, self.record = path, record
        self._lock: int | None = None

    @classmethod
    def create(cls, root: Path, name: str, command: list[str]) -> Self:
        """Make the folder, lock it, and write `run.json` with status running."""
        now = datetime.now(UTC)
        safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
        identity = secrets.token_hex(2)
        path = root / f"{now:%Y-%m-%d-%H%M%S}-{safe}-{identity}"
        try:
            path.mkdir(parents=True)
        except OSError as problem:
            raise MachineError(
                f"the run folder cannot be made: {problem.strerror}",
                where=str(path),
                fix="choose another --runs DIR",
            ) from None
        run = cls(path, {"schema": SCHEMA, "id": path.name, "name": name, "status": "running", "reason": ""})
        run.lock()
        run.update(command=command, started=now.isoformat(timespec="seconds"), versions=versions())
        return run

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a run back. One that is marked running, but that no process holds, was interrupted."""
        file = path / "run.json"
        try:
            record = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as problem:
            raise LvmError(f"the run cannot be read: {problem}", where=str(file)) from None
        if not isinstance(record, dict) or not {"name", "status"} <= set(record):
            raise LvmError("the file is no record of a run", where=str(file))
        run = cls(path, record)
        if record["status"] == "running" and not run.is_held():
            record["status"], record["reason"] = "interrupted", "the process ended without a word"
        return run

    @property
    def model_file(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def status(self) -> str:
        return self.record["status"]

    def update(self, **facts: Any) -> None:
        """Change `run.json`, whole or not at all."""
        self.record |= facts
        write_whole(self.path / "run.json", to_json(self.record))

    def finish(self, status: str, reason: str = "") -> None:
        """Give the run its final status."""
        ended = datetime.now(UTC)
        seconds = (ended - datetime.fromisoformat(self.record["started"])).total_seconds()
        self.update(status=status, reason=reason, ended=ended.isoformat(timespec="seconds"), seconds=round(seconds, 1))

    def write_epochs(self, records: list[dict[str, Any]]) -> None:
        lines = [to_json(record, indent=None) + "\n" for record in records]
        write_whole(self.path / "epochs.jsonl", "".join(lines))

    def epochs(self) -> list[dict[str, Any]]:
        """The records of the epochs so far."""
        return self._json_lines("epochs.jsonl")

    def write_evaluation(self, document: dict[str, Any]) -> None:
        write_whole(self.path / _evaluation_file(document["protocol"]), to_json(document))

    def evaluation(self, protocol: str = DEFAULT_PROTOCOL) -> dict[str, Any] | None:
        """The evaluation document, if the run was evaluated by this protocol."""
        found = self._json_lines(_evaluation_file(protocol), whole=True)
        return found[0] if found else None

    def document(self) -> dict[str, Any]:
        """`run.json` with the path and the evaluation: what `lvm run --json` prints."""
        return {**self.record, "path": str(self.path), "evaluation": self.evaluation()}

    def lock(self) -> None:
        """Hold the folder until this process ends."""
        self._lock = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = None
            raise LvmError("another process is working on this run", where=str(self.path)) from None

    def is_held(self) -> bool:
        """Whether a living process holds the folder."""
        try:
            handle = os.open(self.path / ".lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def discard(self) -> None:
        """Remove a folder in which nothing was trained."""
        for file in (*self.path.glob("*"), self.path / ".lock"):
            file.unlink(missing_ok=True)
        self.path.rmdir()

    def _json_lines(self, name: str, *, whole: bool = False) -> list[dict[str, Any]]:
        file = self.path / name
        if not file.is_file():
            return []
        text = file.read_text("utf-8")
        try:
            return [json.loads(part) for part in ([text] if whole else text.splitlines())]
        except ValueError as problem:
            raise LvmError(f"the file cannot be read: {problem}", where=str(file)) from None


def _evaluation_file(protocol: str) -> str:
    return "evaluation.json" if protocol == DEFAULT_PROTOCOL else f"evaluation-{protocol}.json"


def all_runs(root: Path) -> Iterator[Run]:
    """Every readable run below a folder, oldest first."""
    for file in sorted(root.glob("*/run.json")) if root.is_dir() else ():
        try:
            yield Run.open(file.parent)
        except LvmError:
            continue


def find_run(text: str, root: Path) -> Run:
    """A run by its folder, its name, the id at the name's end, or `latest`.

    Raises:
        LvmError: no such run, or several.
    """
    if (Path(text) / "run.json").is_file():
        return Run.open(Path(text))
    runs = list(all_runs(root))
    if text == "latest" and runs:
        return runs[-1]
    found = [run for run in runs if run.path.name == text]
    found = found or [run for run in runs if run.path.name.endswith(f"-{text}") or run.record["name"] == text]
    found = found or [run for run in runs if text in run.path.name]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(run.path.name for run in found)
        raise LvmError(f"'{text}' means {len(found)} runs: {names}", where=str(root), expected="one of these names")
    guess = nearest(text, [run.path.name for run in runs])
    raise LvmError(
        f"there is no run '{text}'" + (f"; did you mean '{guess}'?" if guess else ""),
        where=str(root),
        fix="lvm runs",
    )


def versions() -> dict[str, str]:
    """The versions of what decides a result."""
    found = {"python": platform.python_version()}
    for name in ("lvmcore", "torch", "numpy", "safetensors"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def command_line() -> list[str]:
    """The command as it was typed."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
