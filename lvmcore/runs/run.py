"""One run on disk: what is written, and reading it back. Needs no torch."""

from __future__ import annotations

import json
import platform
import secrets
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from lvmcore.errors import LvmError, MachineError
from lvmcore.files import to_json, write_whole
from lvmcore.runs.locks import is_held, take
from lvmcore.runs.serving import served_at

SCHEMA = 1
DAMAGED = "damaged"
"""The status that the listings show of a folder whose files cannot be read; it is never written."""

DEFAULT_PROTOCOL = "5cat"
"""The protocol whose figures a run is known by: those of evaluation.json."""


class Run:
    """One run on disk: `run.json`, `epochs.jsonl`, `model.safetensors`, `evaluation.json`, `windows.safetensors`."""

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path, self.record = path, record
        self._lock: int | None = None
        self._evaluations: dict[str, dict[str, Any]] = {}

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

    @property
    def served_at(self) -> list[str]:
        """The addresses at which `lvm serve` serves it now."""
        return served_at(self.path)

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
        self._evaluations.pop(document["protocol"], None)

    def evaluation(self, protocol: str = DEFAULT_PROTOCOL) -> dict[str, Any] | None:
        """The evaluation document, if the run was evaluated by this protocol."""
        if protocol not in self._evaluations:  # a large document, which a listing asks for several times
            for found in self._json_lines(_evaluation_file(protocol), whole=True):
                self._evaluations[protocol] = found
        return self._evaluations.get(protocol)

    @property
    def epochs_done(self) -> int:
        """How many epochs are written; none of a damaged run."""
        return 0 if self.status == DAMAGED else len(self.epochs())

    def as_damaged(self, problem: Exception) -> Run:
        """The run as the listings show it when its files cannot be read."""
        what = problem.what if isinstance(problem, LvmError) else f"{type(problem).__name__}: {problem}"
        where = problem.where if isinstance(problem, LvmError) else None
        reason = f"{Path(where).name}: {what}" if where else what
        sound = {key: str(self.record[key]) for key in ("name", "started") if key in self.record}
        return Run(self.path, {"name": self.path.name, **sound, "status": DAMAGED, "reason": reason, "note": ""})

    def document(self) -> dict[str, Any]:
        """`run.json` with the path and the evaluation: what `lvm run --json` prints."""
        return {**self.record, "path": str(self.path), "evaluation": self.evaluation()}

    def lock(self) -> None:
        """Hold the folder until this process ends."""
        self._lock = take(self.path / ".lock")
        if self._lock is None:
            raise LvmError("another process is working on this run", where=str(self.path))

    def is_held(self) -> bool:
        """Whether a living process holds the folder."""
        return is_held(self.path / ".lock")

    def discard(self) -> None:
        """Remove a folder in which nothing was trained."""
        for file in (*self.path.glob("*"), self.path / ".lock"):
            file.unlink(missing_ok=True)
        self.path.rmdir()

    def _json_lines(self, name: str, *, whole: bool = False) -> list[dict[str, Any]]:
        file = self.path / name
        if not file.is_file():
            return []
        try:
            text = file.read_text("utf-8")
            found = [json.loads(part) for part in ([text] if whole else text.splitlines())]
        except (OSError, ValueError) as problem:
            raise LvmError(f"the file cannot be read: {problem}", where=str(file)) from None
        if not all(isinstance(part, dict) for part in found):
            raise LvmError("the file holds something else than records", where=str(file))
        return found


def _evaluation_file(protocol: str) -> str:
    return "evaluation.json" if protocol == DEFAULT_PROTOCOL else f"evaluation-{protocol}.json"


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
