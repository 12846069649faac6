"""The working folder of a build, beside the corpus to be: whatever ends the program, the next one goes on from it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from lvmcore import locks
from lvmcore.errors import LvmError, MachineError, of_machine

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY, name TEXT, source TEXT, size INTEGER, changed INTEGER,
    state TEXT,       -- NULL to be read, 'read', 'unread' or 'no reader'
    why TEXT          -- it was not read
);
CREATE TABLE IF NOT EXISTS articles (
    id INTEGER PRIMARY KEY, file INTEGER, title TEXT,
    first INTEGER, chunks INTEGER,  -- its chunks are first … first + chunks - 1
    at INTEGER,                     -- the byte of chunks.jsonl at which they begin
    digest BLOB, sketch BLOB,       -- NULL while it is not read to its end
    dropped TEXT,                   -- NULL, 'copy', 'near', 'within' or 'short'
    alike INTEGER,                  -- the article that it is a copy or a part of
    kept INTEGER                    -- chunks without boilerplate
);
CREATE INDEX IF NOT EXISTS articles_of ON articles (file);
CREATE TABLE IF NOT EXISTS chunks (id INTEGER PRIMARY KEY, hash INTEGER, article INTEGER);
CREATE TABLE IF NOT EXISTS boilerplate (hash INTEGER PRIMARY KEY, articles INTEGER, first INTEGER);
"""


class Work:
    """The folder: a database of what was read, `chunks.jsonl` with the texts, and `blocks/` with the vectors.

    One process has it at a time. What is committed to the database counts; what the other files hold beyond it is
    written again.

    Raises:
        LvmError: another process builds this corpus.
        MachineError: the folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with machine_faults(path):
            path.mkdir(parents=True, exist_ok=True)
            lock = locks.take(path / "lock")
            if lock is None:
                raise LvmError(
                    "another process is building this corpus", where=str(path), fix="wait for it, or give another name"
                )
            self._lock = lock
            self.db = sqlite3.connect(path / "state.sqlite", isolation_level=None)
            self.db.executescript(_TABLES)

    @property
    def texts(self) -> Path:
        return self.path / "chunks.jsonl"

    @property
    def blocks(self) -> Path:
        return self.path / "blocks"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.db.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remove(self) -> None:
        """Remove the folder with all that is in it; the database last, so that a kill meanwhile loses no word of it."""
        shutil.rmtree(self.blocks, ignore_errors=True)
        for file in sorted(self.path.iterdir(), key=lambda file: file.name in ("lock", "state.sqlite")):
            file.unlink(missing_ok=True)
        self.close()
        self.path.rmdir()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written to the database inside, or nothing of it."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    def get(self, key: str, otherwise: Any = None) -> Any:
        row = self.db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return otherwise if row is None else json.loads(row[0])

    def put(self, **facts: Any) -> None:
        rows = [(key, json.dumps(value)) for key, value in facts.items()]
        self.db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def count(self, query: str, *values: Any) -> int:
        """The whole number that a query gives."""
        return self.db.execute(query, values).fetchone()[0] or 0


@contextmanager
def machine_faults(path: Path) -> Iterator[None]:
    """What the disk refuses, said as a fault of the machine: nothing that was done before is lost.

    Raises:
        MachineError: in place of an error of the system or of the database.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError, sqlite3.DatabaseError) as problem:
        if (ours := of_machine(problem)) and not isinstance(ours, MachineError):  # a path of the user's
            raise ours from None
        said = (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
        raise MachineError(
            f"the build cannot go on: {said}",
            where=str(problem.filename if isinstance(problem, OSError) and problem.filename else path),
            expected="room on the disk, and the right to write",
            fix="make room, then give the same command again: it goes on from there",
        ) from None
