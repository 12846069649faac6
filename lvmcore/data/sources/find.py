"""Files and folders → sources, each with the suffix that says what reads it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import attrs

from lvmcore.data.sources.text import Source
from lvmcore.data.sources.unpack import UNPACKERS, Bounds, open_archive, open_member, open_packed, open_plain
from lvmcore.errors import LvmError


@attrs.frozen
class Found:
    """A source, and the suffix under that of its compression: `.txt` of `a.txt.gz`; empty where it has none known."""

    source: Source
    path: Path
    """The file that it lies in, which may be an archive."""
    suffix: str
    asked_for: bool
    """Whether it was named itself, not found in a folder or an archive."""


def find(path: str | Path, suffixes: Collection[str], bounds: Bounds) -> Iterator[Found]:
    """Every file of a path: of a folder all that it holds, sorted, without hidden ones; of a ZIP its members.

    Links to folders are followed, each folder once.

    Args:
        suffixes: those that are known, in lower case.

    Raises:
        LvmError: it is not there.
    """
    named = Path(path).expanduser()
    if named.is_dir():
        for file in _files(named):
            yield from _of_file(file, suffixes, bounds, asked_for=False)
    elif named.exists() or named.is_symlink():
        yield from _of_file(named, suffixes, bounds, asked_for=True)
    else:
        raise LvmError("there is no such file or folder", where=str(path), expected="files or folders of text")


def suffix_of(name: str, suffixes: Collection[str]) -> str:
    """The longest known suffix of a name, under that of its compression; empty where none is known."""
    name = name.lower()
    plain = next((name.removesuffix(packed) for packed in UNPACKERS if name.endswith(packed)), name)
    return max((suffix for suffix in suffixes if plain.endswith(suffix)), key=len, default="")


def _files(folder: Path) -> Iterator[Path]:
    def fail(problem: OSError) -> None:
        raise LvmError(f"the folder cannot be read: {problem.strerror}", where=str(problem.filename))

    seen = {folder.resolve()}  # a link may lead back to where it stands; each folder is read once
    for place, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        shown = sorted(name for name in folders if not name.startswith("."))
        real = {name: Path(place, name).resolve() for name in shown}
        folders[:] = [name for name in shown if real[name] not in seen]
        seen |= set(real.values())
        for name in sorted(files):
            if not name.startswith(".") and (file := Path(place, name)).is_file():
                yield file


def _of_file(path: Path, suffixes: Collection[str], bounds: Bounds, *, asked_for: bool) -> Iterator[Found]:
    name = str(path)
    if path.suffix.lower() == ".zip":
        try:
            archive = open_archive(path, name)
        except LvmError as problem:
            if asked_for:
                raise
            # met in a folder it is told of when it is read, as any file that can't be
            yield Found(Source(name, partial(_fail, problem)), path, next(iter(suffixes), ""), asked_for=False)
            return
        for member in sorted(archive.infolist(), key=lambda member: member.filename):
            if _shown(member):
                inner = f"{name}/{member.filename}"
                source = Source(inner, partial(open_member, archive, member, inner, bounds))
                yield Found(source, path, suffix_of(member.filename, suffixes), asked_for=False)
        return
    if path.suffix.lower() in UNPACKERS:
        source = Source(name, partial(open_packed, path, name, bounds))
    else:
        source = Source(name, partial(open_plain, path, name))
    yield Found(source, path, suffix_of(path.name, suffixes), asked_for)


def _fail(problem: LvmError) -> BinaryIO:
    raise problem


def _shown(member: zipfile.ZipInfo) -> bool:
    places = PurePosixPath(member.filename).parts
    hidden = any(place.startswith(".") and place not in (".", "..") for place in places)
    return bool(places) and not (member.is_dir() or hidden or "__MACOSX" in places)
