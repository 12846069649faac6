"""Packages → folders of the files that are read. Nothing of a package is run, and no link in it is followed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

import attrs
from recipe import Package

from lvmcore import LvmError, MachineError

MOST = 1 << 30
"""Bytes that are taken of one package at most."""
STAMP = ".unpacked.json"
"""Says of which package, and how, a folder was made; hidden, so that it is not read."""


def unpack(archive: Path, package: Package, folder: Path) -> Path:
    """The folder of the files that are read of a package; made whole or not at all, and left alone where it is there.

    Raises:
        LvmError: the package has no such files, or too much, or is damaged.
    """
    made_of = json.dumps(attrs.asdict(package), sort_keys=True)
    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text("utf-8") == made_of:
        return folder
    fresh = folder.with_name(f".{folder.name}.unpacking")
    for old in (fresh, folder):
        shutil.rmtree(old, ignore_errors=True)
    left = MOST
    for name, file in _members(archive):
        if (inner := _chosen(name, package)) is None:
            continue
        target = fresh / inner
        target.parent.mkdir(parents=True, exist_ok=True)
        content = file.read(left + 1)
        left -= len(content)
        if left < 0:
            raise LvmError(f"what is read of it is more than {MOST:,} bytes", where=str(archive), fix="fewer files")
        target.write_bytes(content)
    if left == MOST:
        raise LvmError("the package has no such files", where=str(archive), expected=", ".join(package.files))
    (fresh / STAMP).write_text(made_of, "utf-8")
    os.rename(fresh, folder)
    return folder


def _chosen(name: str, package: Package) -> PurePosixPath | None:
    """The name of a member under `below`, if it is read."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.is_relative_to(package.below):
        return None
    inner = path.relative_to(package.below)
    taken = any(fnmatchcase(str(inner), pattern) for pattern in package.files)
    return inner if taken and not any(fnmatchcase(str(inner), pattern) for pattern in package.without) else None


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The plain files of a package, with their names."""
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as whole:
                for member in whole.infolist():
                    if not member.is_dir():
                        with whole.open(member) as file:
                            yield member.filename, file
        elif archive.suffix == ".deb":
            yield from _debian(archive)
        else:
            with tarfile.open(archive, "r|*") as whole:
                yield from _of_tar(whole)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as problem:
        raise LvmError(f"the package cannot be unpacked: {problem}", where=str(archive)) from None


def _debian(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    try:
        running = subprocess.Popen(command, stdout=subprocess.PIPE)
    except OSError as problem:
        raise MachineError(f"dpkg-deb cannot be started: {problem.strerror}", where=str(archive)) from None
    with running, tarfile.open(fileobj=running.stdout, mode="r|") as whole:
        yield from _of_tar(whole)


def _of_tar(whole: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in whole:
        if member.isfile() and (file := whole.extractfile(member)) is not None:
            yield member.name.removeprefix("./"), file
