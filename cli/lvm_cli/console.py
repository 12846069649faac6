"""Where text goes: tables to standard output, talk to standard error when JSON is asked for."""

from __future__ import annotations

import os
import sys

import rich.console

UNCUT = 100_000
"""Columns where there is no terminal, so that no table is wrapped or cut."""


class Console(rich.console.Console):
    """Falls silent where nobody reads any more, as in `lvm run … | head`: a training goes on to its end."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())  # what is still buffered is flushed at the end
        os.close(nowhere)


def console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        width=None if stream.isatty() else UNCUT,
        highlight=False,
        soft_wrap=not stream.isatty(),
    )
