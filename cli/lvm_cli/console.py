"""Where text goes: tables to standard output, talk to standard error when JSON is asked for."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import click
import rich.console
from rich.console import ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from lvmcore.plain import clean, indented

UNCUT = 100_000
"""Columns where there is neither a terminal nor COLUMNS, so that no table is wrapped or cut."""


class Console(rich.console.Console):
    """Falls silent where nobody reads any more, as in `lvm run … | head`: a training goes on to its end."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())  # what is still buffered is flushed at the end
        os.close(nowhere)


def echo(text: str, *, stderr: bool = False) -> None:
    """Print a text without what acts on a terminal. Where it is no table, it goes through here."""
    click.echo(clean(text), err=stderr)


def say(text: str) -> None:
    """Say what goes on, or what is wrong: to standard error, as a line of lvm."""
    click.echo(f"lvm: {indented(text)}", err=True)


class Plain(RenderHook):
    """Prints everything without what acts on a terminal, which names, titles and texts of others may hold."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Cleaned(one) for one in renderables]


class Unpadded(RenderHook):
    """Prints everything without the spaces at the ends of lines, which only a terminal doesn't show."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Trimmed(one) for one in renderables]


class _Cleaned:
    def __init__(self, shown: ConsoleRenderable) -> None:
        self.shown = shown

    def __rich_console__(self, console: rich.console.Console, options: ConsoleOptions) -> RenderResult:
        for one in console.render(self.shown, options):
            yield one if one.control else Segment(clean(one.text), one.style)


class _Trimmed:
    def __init__(self, shown: ConsoleRenderable) -> None:
        self.shown = shown

    def __rich_console__(self, console: rich.console.Console, options: ConsoleOptions) -> RenderResult:
        for line, ended in Segment.split_lines_terminator(console.render(self.shown, options)):
            yield from _trimmed(line)
            if ended:
                yield Segment.line()


def _trimmed(line: list[Segment]) -> list[Segment]:
    """A line without the spaces at its end."""
    while line and not line[-1].control:
        text, style, _ = line.pop()
        if kept := text.rstrip(" "):
            return [*line, Segment(kept, style)]
    return line


def console(*, stderr: bool = False) -> Console:
    """A console that prints every text as it is: names, reasons and docstrings are other people's, and may hold
    brackets. What is to have a style is a `rich.text.Text`.

    Where nobody looks at a terminal, lines are as long as they need to be, or fit into the columns that the environment
    says in COLUMNS, and none ends in spaces.
    """
    terminal = is_terminal(sys.stderr if stderr else sys.stdout)
    uncut = not (terminal or _columns())
    made = Console(
        stderr=stderr,
        width=UNCUT if uncut else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=uncut,
    )
    made.push_render_hook(Plain())
    if not terminal:
        made.push_render_hook(Unpadded())
    return made


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def _columns() -> int:
    """The columns that the environment says, as rich reads them; 0 where it says none."""
    said = os.environ.get("COLUMNS", "")
    return int(said) if said.isdigit() else 0
