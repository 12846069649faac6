"""The one shape of an error: what is wrong, where, what was expected, what to do."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches

from lvmcore.plain import clean, clean_title

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
        # what is wrong may quote a file, and the file may be anybody's
        return clean("\n".join([self.what, *(f"  {label}: {text}" for label, text in labelled if text)]))


class MachineError(LvmError):
    """Something outside the user's command failed, such as a full disk. The program exits with 3."""

    exit_status = 3


def strict() -> bool:
    """Whether what a plugin does wrong ends the program (LVM_STRICT=1) instead of being written down."""
    return os.environ.get("LVM_STRICT") == "1"


def because(problem: BaseException) -> str:
    """What was raised, in one line, without the frames that torch adds."""
    text = problem.what if isinstance(problem, LvmError) else f"{type(problem).__name__}: {problem}"
    said = clean_title(text.partition("\nException raised from")[0])
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


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
