"""Which runs are served, and where: a file in the run's folder for each server, held as long as that lives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from lvmcore.errors import LvmError, MachineError
from lvmcore.locks import is_held, take

_PREFIX = ".served-"


@contextmanager
def deployed(folder: Path, url: str) -> Iterator[None]:
    """Say in a run's folder that it is served at an address, `http://HOST:PORT` or `unix:PATH`, until the block or
    the process ends.

    Raises:
        LvmError: it is served there already.
    """
    file = folder / f"{_PREFIX}{_name(url)}"
    try:
        handle = take(file)
    except OSError as problem:
        raise MachineError(f"the run's folder cannot be written: {problem.strerror}", where=str(folder)) from None
    if handle is None:
        raise LvmError("another server of this run has this address", where=str(folder), fix="another --port, or --uds")
    try:
        os.ftruncate(handle, 0)
        os.write(handle, url.encode("utf-8", "replace"))
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(handle)


def served_at(folder: Path) -> list[str]:
    """The addresses that a run is served at now."""
    return [url for file in sorted(folder.glob(f"{_PREFIX}*")) if is_held(file) and (url := _address(file))]


def _name(url: str) -> str:
    """The port; of a Unix socket, whose path may be longer than a name, a digest."""
    if url.startswith("unix:"):
        return sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return url.rpartition(":")[2]


def _address(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError:  # the server has ended since
        return ""
