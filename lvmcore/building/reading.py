"""Stage 1: files → articles → chunks, on the disk as they come, so that no text is held in memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

import attrs

from lvmcore.building.progress import Watch
from lvmcore.building.sketch import Sketch
from lvmcore.building.work import Work, machine_faults
from lvmcore.data.sources.find import Found
from lvmcore.data.sources.read import Reading
from lvmcore.errors import LvmError, MachineError, because, strict

BLOCK = 1 << 14
"""Chunks between two commits: what a kill loses of what was read."""
_BYTES = 1 << 23
"""Or so many bytes, where chunks are long."""

Cut = Callable[[Iterable[str]], Iterator[str]]


@attrs.frozen
class Sources:
    """The files of a build, in the order in which they are read.

    Args:
        paths: files and folders.
        besides: files that are not read though they lie there: the corpus itself.
    """

    paths: tuple[str, ...]
    reading: Reading
    besides: Collection[Path] = ()

    def __iter__(self) -> Iterator[tuple[Found, str]]:
        """Every file, with the source of its articles: the path that it was found by, or below one folder alone its
        entry there."""
        for path in self.paths:
            for found in self.reading.find(path):
                if found.path.absolute() not in self.besides:
                    below = Path(found.source.name).parts[: len(Path(path).parts) + (len(self.paths) == 1)]
                    yield found, str(Path(*below))

    def list_into(self, work: Work) -> None:
        """Write down which files there are, or see that they are those that the build was begun with.

        Raises:
            LvmError: there are none, none has a reader, or they have changed.
        """
        if work.get("listed"):
            self._compare(work)
            return
        with machine_faults(work.path), work.transaction():
            for found, source in self:
                state = None if self.reading.reads(found) else "no reader"
                row = (found.source.name, source, *_stamp(found.path), state)
                work.db.execute("INSERT INTO files (name, source, size, changed, state) VALUES (?, ?, ?, ?, ?)", row)
            if not work.count("SELECT COUNT(*) FROM files WHERE state IS NULL"):
                raise self._nothing(work)
            work.put(listed=True)

    def _compare(self, work: Work) -> None:
        was = work.db.execute("SELECT name, size, changed FROM files ORDER BY id")
        now = ((found.source.name, *_stamp(found.path)) for found, _ in self)
        for before, after in zip_longest(was, now):
            if before != after:
                was.close()
                raise LvmError(
                    "the files are no longer those that the unfinished build was begun with",
                    where=str(work.path),
                    expected=f"{_shown(before)}; there is {_shown(after)}",
                    fix="put them back, or give --restart, which begins anew",
                )

    def _nothing(self, work: Work) -> LvmError:
        where = ", ".join(self.paths)
        names = [name for (name,) in work.db.execute("SELECT name FROM files LIMIT 3")]
        if not names:
            return LvmError("there is nothing to read: no file is there", where=where, expected="files of text")
        return LvmError(
            f"there is nothing to read: no reader is for {', '.join(names)}" + " and others" * (len(names) == 3),
            where=where,
            expected=f"files in {' '.join(sorted(self.reading.suffixes))}",
            fix="name the files themselves and their reader, as in --reader text; lvm list readers shows them",
        )


def read(sources: Sources, cut: Cut, work: Work, watch: Watch) -> None:
    """Read and cut whatever has not been yet. A file of a folder that cannot be read is left out, and counted.

    Raises:
        LvmError: a file that was named itself cannot be read.
        MachineError: the disk is full.
    """
    if work.get("read"):
        return
    watch.begin("reading", work.count("SELECT SUM(size) FROM files WHERE state IS NULL OR state = 'read'"), "bytes")
    begun = 0
    with machine_faults(work.path):
        shelf = Shelf(work)
    with shelf:
        for number, (found, _) in enumerate(sources, 1):
            state, size = work.db.execute("SELECT state, size FROM files WHERE id = ?", (number,)).fetchone()
            if state is None:
                try:
                    for given in _read(sources.reading, found, number, cut, shelf):
                        watch.at(begun + min(given, size))
                    shelf.settle(number, "read")
                except MachineError:
                    raise
                except Exception as problem:
                    if found.asked_for or (strict() and not isinstance(problem, LvmError)):
                        raise
                    shelf.forget(number, because(problem))
            begun += size * (state != "no reader")
            watch.at(begun)
        shelf.commit(read=True)


def _read(reading: Reading, found: Found, file: int, cut: Cut, shelf: Shelf) -> Iterator[int]:
    """Read a file, and say now and then how many bytes it has given. Articles that are on the shelf are passed over."""
    there, given = shelf.whole_articles(file), 0
    for number, article in enumerate(reading.read(found)):
        if number < there:
            continue
        shelf.begin(file, article.title)
        for count, chunk in enumerate(cut(article.paragraphs)):
            given += shelf.add(chunk)
            if count % 256 == 0:
                yield given
        shelf.end()


class Shelf:
    """Where articles are put, chunk by chunk; it is committed in blocks, with the place in the file of texts."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.chunks, self._at = work.get("chunks", 0), work.get("bytes", 0)
        self._file = work.texts.open("ab")
        self._file.truncate(self._at)
        self._committed = self.chunks, self._at
        self._rows: list[tuple[int, int, int]] = []
        self._articles: list[tuple[object, ...]] = []
        self._settled: list[tuple[str, str | None, int]] = []
        self._article = work.count("SELECT MAX(id) FROM articles WHERE digest IS NOT NULL")
        self._open: tuple[int, int, str, int, int] | None = None  # article, file, title, first chunk, its byte

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def whole_articles(self, file: int) -> int:
        """How many articles of a file are here from its first chunk to its last."""
        return self._work.count("SELECT COUNT(*) FROM articles WHERE file = ? AND digest IS NOT NULL", file)

    def begin(self, file: int, title: str) -> None:
        """The next article. Of one that a build before this left unfinished, the chunks that are here are passed over,
        and only seen again."""
        self._article += 1
        self._sketch, self._digest = Sketch(), hashlib.blake2b(digest_size=16)
        row = self._work.db.execute("SELECT first, at, chunks FROM articles WHERE id = ?", (self._article,)).fetchone()
        first, at, self._there = row or (self.chunks + 1, self._at, 0)
        self._open = self._article, file, title, first, at

    def add(self, chunk: str) -> int:
        """Put a chunk, and say how many bytes it has."""
        text = chunk.encode("utf-8", "replace")
        own = hashlib.blake2b(text, digest_size=8).digest()
        self._digest.update(own)
        self._sketch.add(chunk)
        if self._there:
            self._there -= 1
            return len(text)
        self.chunks += 1
        self._rows.append((self.chunks, int.from_bytes(own, "big", signed=True), self._article))
        with machine_faults(self._work.path):
            self._at += self._file.write(json.dumps(chunk, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        if len(self._rows) >= BLOCK or self._at - self._committed[1] >= _BYTES:
            self.commit()
        return len(text)

    def end(self) -> None:
        """The article is whole."""
        assert self._open is not None
        self._articles.append((*self._open, self._of_open(), self._digest.digest(), self._sketch.end()))
        self._open = None
        if len(self._articles) >= BLOCK:
            self.commit()

    def settle(self, file: int, state: str, why: str | None = None) -> None:
        """Nothing more comes from a file."""
        self._settled.append((state, why, file))

    def forget(self, file: int, why: str) -> None:
        """Take away what a file has given so far: it cannot be read to its end."""
        self._open = None
        self.commit()
        db = self._work.db
        first = db.execute("SELECT id, first, at FROM articles WHERE file = ? ORDER BY id LIMIT 1", (file,)).fetchone()
        article, chunk, at = first or (self._article + 1, self.chunks + 1, self._at)
        with machine_faults(self._work.path):
            with self._work.transaction():
                db.execute("DELETE FROM articles WHERE id >= ?", (article,))
                db.execute("DELETE FROM chunks WHERE id >= ?", (chunk,))
                db.execute("UPDATE files SET state = 'unread', why = ? WHERE id = ?", (why, file))
                self._work.put(chunks=chunk - 1, bytes=at)
            self._file.truncate(at)
        self._article, self.chunks, self._at = article - 1, chunk - 1, at
        self._committed = self.chunks, self._at

    def commit(self, **facts: object) -> None:
        """Bring everything so far to the disk: first the texts, then the database, which says how far they count."""
        with machine_faults(self._work.path):
            self._file.flush()
            os.fsync(self._file.fileno())
            with self._work.transaction():
                db = self._work.db
                db.executemany("INSERT INTO chunks VALUES (?, ?, ?)", self._rows)
                begun = [(*self._open, self._of_open(), None, None)] if self._open else []
                db.executemany(
                    "INSERT OR REPLACE INTO articles (id, file, title, first, at, chunks, digest, sketch) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [*self._articles, *begun],
                )
                db.executemany("UPDATE files SET state = ?, why = ? WHERE id = ?", self._settled)
                self._work.put(chunks=self.chunks, bytes=self._at, **facts)
        self._committed = self.chunks, self._at
        self._rows, self._articles, self._settled = [], [], []

    def _of_open(self) -> int:
        """Chunks of the open article so far."""
        assert self._open is not None
        return self.chunks - self._open[3] + 1


def _stamp(path: Path) -> tuple[int, int]:
    """Size in bytes, and when it was changed last, in ns."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0  # what is wrong with it is said when it is read
    return found.st_size, found.st_mtime_ns


def _shown(row: tuple[str, int, int] | None) -> str:
    if row is None:
        return "no further file"
    return f"'{row[0]}' of {row[1]:,} bytes, changed {datetime.fromtimestamp(row[2] / 1e9):%Y-%m-%d %H:%M:%S}"
