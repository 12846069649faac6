"""Where text goes: tables to standard output, talk to standard error when JSON is asked for."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import rich.console
from rich.text import Text

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


def note(said: str) -> Text:
    """What one may not have meant, or should be careful about."""
    return Text.assemble(("note:", "yellow"), f" {said}")


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty()
