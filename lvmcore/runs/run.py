"""One run on disk: what is written, and reading it back. Needs no torch."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from lvmcore.errors import LvmError, MachineError
from lvmcore.evaluation.document import Evaluation, checked_document
from lvmcore.evaluation.protocols import DEFAULT
from lvmcore.files import to_json, write_whole
from lvmcore.locks import is_held, take
from lvmcore.records import read_json
from lvmcore.runs.record import SCHEMA, read_epochs, read_record
from lvmcore.runs.serving import served_at

DAMAGED = "damaged"
"""The status that the listings show of a folder whose files cannot be read; it is never written."""
UNSAID = "the process ended without a word"
LONGEST = 100
"""Bytes of a run's name in the name of its folder."""
STATUSES = ("running", "finished", "collapsed", "gate-failed", "interrupted", "failed", DAMAGED)


class Run:
    """One run on disk: `run.json`, `epochs.jsonl`, `model.safetensors`, `evaluation.json` and more."""

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path, self.record = path, record
        self._lock: int | None = None
        self._began, self._spent = time.monotonic(), 0.0
        self._evaluations: dict[str, dict[str, Any]] = {}

    @classmethod
    def create(cls, root: Path, name: str, command: list[str]) -> Self:
        """Make the folder, lock it, and write `run.json` with status running."""
        now = datetime.now(UTC)
        safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
        safe = safe.encode()[:LONGEST].decode(errors="ignore")
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
        try:
            run.lock()
            run.update(command=command, started=now.isoformat(timespec="microseconds"), versions=versions())
        except BaseException:  # a folder without a record would be seen by nobody
            run.release()
            shutil.rmtree(path, ignore_errors=True)
            raise
        return run

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read a run back. One that is marked running, but that no process holds, was interrupted."""
        file = (path := Path(path)) / "run.json"
        record = read_record(file)
        run = cls(path, record)
        if record["status"] == "running" and not run.is_held():
            record["status"], record["reason"] = "interrupted", UNSAID
        return run

    @property
    def model_file(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def state_file(self) -> Path:
        """All that resuming it needs; not there where it ended before its first step, or was made by lvm 0.1."""
        return self.path / "state.safetensors"

    @property
    def best_state_file(self) -> Path:
        """The state of the best epoch, of a run that may go back to it."""
        return self.path / "best-state.safetensors"

    @property
    def seconds(self) -> float:
        """Spent on it: those of the processes before this one as well."""
        return self._spent + time.monotonic() - self._began

    @property
    def status(self) -> str:
        return self.record["status"]

    @property
    def served_at(self) -> list[str]:
        """The addresses at which `lvm serve` serves it now."""
        return served_at(self.path)

    def refresh(self) -> None:
        """Read the record again, as when another process may have changed it before this one took the lock."""
        self.record = type(self).open(self.path).record
        if self._lock is not None and self.status == "running":  # nobody else holds it
            self.record |= {"status": "interrupted", "reason": UNSAID}

    def update(self, **facts: Any) -> None:
        """Change `run.json`, whole or not at all."""
        self.record |= facts
        write_whole(self.path / "run.json", to_json(self.record))

    def finish(self, status: str, reason: str = "") -> None:
        """Give the run its final status."""
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        self.update(status=status, reason=reason, ended=ended, seconds=round(self.seconds, 1))

    def go_on(self, spent: float, **facts: Any) -> None:
        """Mark a run that had ended as under way again, and write down that it was resumed.

        Args:
            spent: seconds until the state that it goes on from.
            facts: about the resuming.
        """
        self._began, self._spent = time.monotonic(), spent
        for key in ("ended", "seconds", "note"):
            self.record.pop(key, None)
        told = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "command": command_line(), **facts}
        if (before := self.record.get("versions")) != (now := versions()):
            told["versions_before"] = before
        self.update(status="running", reason="", resumed=[*self.record.get("resumed", ()), told], versions=now)

    def write_model(self, content: bytes, best: dict[str, Any]) -> None:
        """Keep other weights than before, of which an evaluation says nothing: it goes."""
        for file in (*self.path.glob("evaluation*.json"), self.path / "windows.safetensors"):
            file.unlink(missing_ok=True)
        self._evaluations.clear()
        write_whole(self.model_file, content)
        self.update(best=best)

    def write_epochs(self, records: list[dict[str, Any]]) -> None:
        lines = [to_json(record, indent=None) + "\n" for record in records]
        write_whole(self.path / "epochs.jsonl", "".join(lines))

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """The records of the epochs so far, as plain data."""
        file = self.path / "epochs.jsonl"
        return read_epochs(file) if file.exists() else []

    def write_evaluation(self, document: dict[str, Any]) -> None:
        write_whole(self.path / _evaluation_file(document["protocol"]), to_json(document))
        self._evaluations.pop(document["protocol"], None)

    def document_by(self, protocol: str = DEFAULT) -> dict[str, Any] | None:
        """The evaluation document, if the run was evaluated by this protocol."""
        file = self.path / _evaluation_file(protocol)
        if protocol not in self._evaluations and file.exists():  # a large one, which a listing asks for several times
            self._evaluations[protocol] = checked_document(read_json(file), str(file))
        return self._evaluations.get(protocol)

    @property
    def protocols(self) -> list[str]:
        """The protocols that the run was evaluated by."""
        files = sorted(self.path.glob("evaluation*.json"))
        return [file.stem.removeprefix("evaluation-") if "-" in file.stem else DEFAULT for file in files]

    @property
    def evaluation(self) -> Evaluation | None:
        """Its evaluation by the default protocol: `run.evaluation["val"]["A"]["margin"].value`."""
        return self.evaluation_by(DEFAULT)

    def evaluation_by(self, protocol: str) -> Evaluation | None:
        """Its evaluation by a protocol, if there is one."""
        document = self.document_by(protocol)
        return Evaluation(document) if document else None

    def figures(self, protocol: str = DEFAULT) -> list[dict[str, Any]]:
        """Every figure of an evaluation as a row of plain data, ready for a data frame; none where it was not made."""
        evaluation = self.evaluation_by(protocol)
        about = {"run": self.path.name, "variant": self.record["name"], "seed": self.record.get("seed")}
        return [about | row for row in evaluation.figures()] if evaluation else []

    @property
    def epochs_done(self) -> int:
        """How many epochs are written; none of a damaged run."""
        return 0 if self.status == DAMAGED else len(self.epochs)

    def as_damaged(self, problem: Exception) -> Run:
        """The run as the listings show it when its files cannot be read."""
        what = problem.what if isinstance(problem, LvmError) else f"{type(problem).__name__}: {problem}"
        where = problem.where if isinstance(problem, LvmError) else None
        reason = f"{Path(where).name}: {what}" if where else what
        sound = {key: str(self.record[key]) for key in ("name", "started") if key in self.record}
        return Run(self.path, {"name": self.path.name, **sound, "status": DAMAGED, "reason": reason, "note": ""})

    def document(self) -> dict[str, Any]:
        """`run.json` with the path and the evaluation: what `lvm run --json` prints."""
        return {**self.record, "path": str(self.path), "evaluation": self.document_by()}

    def lock(self) -> None:
        """Hold the folder until it is released, or this process ends.

        Raises:
            LvmError: another process does.
        """
        try:
            self._lock = take(self.path / ".lock")
        except OSError as problem:
            raise MachineError(
                f"the run's folder cannot be written: {problem.strerror}", where=str(self.path)
            ) from None
        if self._lock is None:
            raise LvmError("another process is working on this run", where=str(self.path))

    def release(self) -> None:
        """Let go of the folder: nothing is trained in it any more."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_held(self) -> bool:
        """Whether a living process holds the folder."""
        return is_held(self.path / ".lock")

    def require_idle(self) -> None:
        """See that no other process works on the run, and none serves it.

        Raises:
            LvmError: one does.
        """
        if self._lock is None and self.is_held():
            raise LvmError("another process is working on this run", where=str(self.path), fix="let it end, or end it")
        if served := self.served_at:
            where = str(self.path)
            raise LvmError(f"the run is served at {', '.join(served)}", where=where, fix="end lvm serve first")

    def delete(self) -> None:
        """Remove the folder with all that is in it.

        Raises:
            LvmError: another process works on it, or serves it.
        """
        self.require_idle()
        try:
            shutil.rmtree(self.path)
        except OSError as problem:
            raise MachineError(
                f"the run's folder cannot be removed: {problem.strerror or problem}", where=str(self.path)
            ) from None
        self.release()


def _evaluation_file(protocol: str) -> str:
    return "evaluation.json" if protocol == DEFAULT else f"evaluation-{protocol}.json"


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
    program = Path(sys.argv[0])
    module = program.name == "__main__.py"  # python puts the file there in place of -m and the package
    return [*(("python", "-m", program.parent.name) if module else (program.name,)), *sys.argv[1:]]
