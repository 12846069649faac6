"""Where text goes: tables to standard output, talk to standard error when JSON is asked for."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

UNCUT = 100_000
"""Columns where there is no terminal, so that no table is wrapped or cut."""


def console(*, stderr: bool = False) -> Console:
    """A console that prints every text as it is: names, reasons and docstrings are other people's, and may hold
    brackets. What is to have a style is a `rich.text.Text`."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        width=None if is_terminal(stream) else UNCUT,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not is_terminal(stream),
    )


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty()
