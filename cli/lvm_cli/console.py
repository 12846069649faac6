"""Where text goes: tables to standard output, talk to standard error when JSON is asked for."""

from __future__ import annotations

import sys

from rich.console import Console

UNCUT = 100_000
"""Columns where there is no terminal, so that no table is wrapped or cut."""


def console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        width=None if stream.isatty() else UNCUT,
        highlight=False,
        soft_wrap=not stream.isatty(),
    )
