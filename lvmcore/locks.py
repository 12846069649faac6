"""Files that a living process holds: the lock ends with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lvmcore.errors import MachineError


def take(path: Path) -> int | None:
    """Hold a file, which is made if need be, until the handle is closed or the process ends; None if it is held.

    Raises:
        OSError: it cannot be made.
        MachineError: the file system has no locks, so that nobody knows.
    """
    return _held(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644), fcntl.LOCK_EX, path)


def is_held(path: Path) -> bool:
    """Whether a living process holds the file; of one that is not there, none does.

    Raises:
        MachineError: nobody knows.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # nor does lvm hold what others may not read
        return False
    except OSError as problem:
        raise _unknown(problem, path) from None
    taken = _held(handle, fcntl.LOCK_SH, path)
    if taken is not None:
        os.close(taken)
    return taken is None


def _held(handle: int, kind: int, path: Path) -> int | None:
    """The handle, with the lock; None, and it is closed, where another process has it."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError as problem:
        os.close(handle)
        raise _unknown(problem, path) from None
    return handle


def _unknown(problem: OSError, path: Path) -> MachineError:
    return MachineError(
        f"the file cannot be locked: {problem.strerror or problem}",
        where=str(path),
        expected="a file system with locks",
        fix="a folder on another disk, as with --runs DIR",
    )
