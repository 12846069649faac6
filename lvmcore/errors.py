"""The one shape of an error: what is wrong, where, what was expected, what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from difflib import get_close_matches

from lvmcore.plain import clean_title, indented

LONGEST = 1000
"""Characters of what is told of an exception of others."""


class LvmError(Exception):
    """A mistake the user can mend. Shown without a traceback; the program exits with 2.

    Args:
        what: what is wrong, in one sentence.
        where: the file, key or term it was found in.
        expected: what would have been right.
        fix: what to do now, best a command.
    """

    exit_status = 2

    def __init__(
        self, what: str, *, where: str | None = None, expected: str | None = None, fix: str | None = None
    ) -> None:
        self.what, self.where, self.expected, self.fix = what, where, expected, fix
        super().__init__(what)

    def __str__(self) -> str:
        labelled = (("where", self.where), ("expected", self.expected), ("try", self.fix))
        # what is wrong may quote a file, and the file may be anybody's: no line of it stands as if lvm had said it
        parts = [self.what, *(f"  {label}: {text}" for label, text in labelled if text)]
        return "\n".join(map(indented, parts))


class MachineError(LvmError):
    """Something outside the user's command failed, such as a full disk. The program exits with 3."""

    exit_status = 3


def strict() -> bool:
    """Whether what a plugin does wrong ends the program (LVM_STRICT=1) instead of being written down."""
    return os.environ.get("LVM_STRICT") == "1"


def because(problem: BaseException) -> str:
    """What was raised, in one line, without the frames that torch adds."""
    ours = problem if isinstance(problem, LvmError) else of_machine(problem)
    text = ours.what if ours else f"{type(problem).__name__}: {problem}"
    said = clean_title(text.partition("\nException raised from")[0])
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def of_machine(problem: BaseException) -> LvmError | None:
    """The error of ours for what the machine has too little of, or for a path that it can't take; None for any other.

    Whoever writes or reads a file says what became of it; this is for what can happen anywhere.
    """
    if isinstance(problem, OSError) and problem.errno in _OF_PATHS:
        return LvmError(f"a path cannot be used: {problem.strerror}", where=_file_of(problem), expected="another path")
    if isinstance(problem, OSError) and problem.errno in _OF_MACHINES:
        what = f"the machine refuses: {problem.strerror}"
        return MachineError(what, where=_file_of(problem), fix="make room, then run again")
    if isinstance(problem, MemoryError) or (isinstance(problem, RuntimeError) and _MEMORY.search(str(problem))):
        found = _BYTES.search(str(problem))
        return MachineError(
            "out of memory" + (f": {found[0]} more are needed" if found else ""),
            expected="a smaller model, batch or corpus, or more memory",
        )
    return None


def _file_of(problem: OSError) -> str | None:
    return None if problem.filename is None else str(problem.filename)


_OF_PATHS = {errno.ENAMETOOLONG, errno.ELOOP}
_OF_MACHINES = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ENOMEM,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.EFBIG,
}
_MEMORY = re.compile("can't allocate memory|not enough memory|out of memory|bad_alloc", re.IGNORECASE)
_BYTES = re.compile(r"\d[\d.,]* (?:[KMGT]iB|bytes)")


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice that `name` was probably meant to be, or None."""
    return next(iter(get_close_matches(name, list(choices), n=1, cutoff=0.5)), None)


def unknown(kind: str, name: str, choices: Iterable[str], *, where: str | None, fix: str | None) -> LvmError:
    """The error for a name that nobody owns, with the nearest match and where to list the others."""
    known = sorted(choices)
    guess = nearest(name, known)
    listed = ", ".join(known) or "none are registered"
    return LvmError(
        f"unknown {kind} '{name}'" + (f"; did you mean '{guess}'?" if guess else ""),
        where=where,
        expected=f"one of: {listed}" if len(known) <= 12 else None,
        fix=fix,
    )
