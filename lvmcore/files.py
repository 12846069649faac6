"""Files that are written whole or not at all, and the folder of those that can be made again."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lvmcore.errors import LvmError, MachineError
from lvmcore.plain import escaped

_RANDOM = re.compile("[0-9a-f]{8}")


def write_whole(path: Path, content: bytes | str, *, parents: bool = False) -> None:
    """Write a file whole or not at all.

    Args:
        parents: make its folder, where that is not there.

    Raises:
        MachineError: a full disk or a folder that cannot be written; what stood there before still stands.
    """
    data = content.encode() if isinstance(content, str) else content
    with whole_file(path, len(data), parents=parents) as file:
        file.write(data)


@contextlib.contextmanager
def whole_file(path: Path, size: int, *, parents: bool = False) -> Iterator[BinaryIO]:
    """A temporary file beside `path` to write to; at the end it is flushed to the disk and renamed into place.

    Those of processes that were killed while they wrote the same file are taken away.

    Args:
        size: bytes that it will need, for the error.
        parents: make its folder, where that is not there.

    Raises:
        MachineError: a full disk or a folder that cannot be written; what stood there before still stands.
    """
    # named before it is made, so that not even a Ctrl-C between the two leaves it behind
    temporary = _temporary(path)
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        with temporary.open("xb") as file:
            _hold(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
        _flush_folder(path.parent)
    except OSError as problem:
        gone = isinstance(problem, FileNotFoundError) and not path.parent.is_dir()
        raise MachineError(
            f"a file cannot be written: {'its folder is not there' if gone else problem.strerror or problem}",
            where=str(path),
            expected=f"{size:,} bytes of room and the right to write",
            fix=None if gone else "make room, then run again; what was written before is whole",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def link_whole(source: Path, path: Path) -> None:
    """Let a file stand under another name, too, also when the first is replaced: at once, or not at all.

    Raises:
        MachineError: a full disk or a folder that cannot be written; what stood there before still stands.
    """
    temporary = _temporary(path)
    try:
        _remove_leftovers(path)
        os.link(source, temporary)
        os.replace(temporary, path)
    except OSError:  # not every file system has links
        with whole_file(path, source.stat().st_size) as file, source.open("rb") as held:
            shutil.copyfileobj(held, file)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _temporary(path: Path) -> Path:
    return path.with_name(f"{_prefix(path)}{secrets.token_hex(4)}")


def _hold(file: BinaryIO) -> None:
    """Show by a lock that a file's owner lives.

    Raises:
        OSError: another process has taken it for a leftover, in the moment before.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks, where leftovers stay
        return
    if not os.fstat(file.fileno()).st_nlink:
        raise BlockingIOError(errno.EAGAIN, "two processes write it at once")


def _prefix(path: Path) -> str:
    """What the names of the temporary files for a path begin with; one is never too long for being temporary."""
    return f".{os.fsdecode(os.fsencode(path.name)[:200])}."


def _remove_leftovers(path: Path) -> None:
    """Take away the temporary files for a path that no living process holds."""
    for name in os.listdir(path.parent):
        if name.startswith(_prefix(path)) and _RANDOM.fullmatch(name.removeprefix(_prefix(path))):
            with contextlib.suppress(OSError), (path.parent / name).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (path.parent / name).unlink()


def _flush_folder(folder: Path) -> None:
    """A rename is on the disk when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def to_json(document: Any, *, indent: int | None = 1) -> str:
    """JSON text, plain enough to be printed; a number that is not finite becomes null, since JSON has none."""
    return escaped(json.dumps(_finite(document), indent=indent, ensure_ascii=False, allow_nan=False))


def cache_folder() -> Path:
    """LVM_CACHE, or the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LVM_CACHE") or Path(home) / "lvm")


def digest_of_file(path: Path) -> str:
    """`sha256:…` of a file of any size.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def require_absent(path: Path, force: bool, what: str = "the file") -> None:
    """See that nothing is overwritten unasked.

    Raises:
        LvmError: a file is there.
    """
    if path.exists() and not force:
        raise LvmError(f"{what} exists already", where=str(path), fix="--force, or another -o")


def make_private(folder: Path) -> None:
    """Make a folder that nobody else may write to or look into.

    Raises:
        OSError: it cannot be made, or is somebody else's.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.is_symlink():
        raise OSError(errno.EPERM, "the folder is a link", str(folder))
    os.chmod(folder, 0o700)


def is_private(path: Path) -> bool:
    """Whether a file or a folder is the user's own, no link, and, of a folder, nobody else may write to it.

    Raises:
        OSError: it is not there.
    """
    found = path.lstat()
    own = found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode)
    return own and not (stat.S_ISDIR(found.st_mode) and found.st_mode & 0o022)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
