"""Options that several commands share, and the lab that they open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from functools import wraps
from pathlib import Path
from typing import Any

import click

from lvm_cli.console import console
from lvmcore.device import PRECISIONS
from lvmcore.files import to_json
from lvmcore.toolkit import Lab


class GivenPath(click.Path):
    """A path that is one: an empty word, as of a variable that is not set, is not the folder that one is in."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


def plugin_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--plugin and --no-plugin."""
    for option in (
        click.option("--no-plugin", "without", multiple=True, metavar="NAME", help="Leave a plugin out."),
        click.option(
            "--plugin", "files", multiple=True, type=GivenPath(), metavar="FILE.py",
            help="Load a plugin from one file.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


registry_option = click.option(
    "--registry",
    "registries",
    multiple=True,
    type=GivenPath(),
    metavar="FILE.toml",
    help="Read further variants and gate profiles.",
)

precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="auto: bf16 where it is native; tf32: fp32 whose products a GPU rounds, and takes faster.",
)

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="Where it computes: cpu, cuda, cuda:1, mps; auto: the accelerator where there is one.",
)


def device_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--device, and how much of it a corpus may take."""
    rows = click.option(
        "--rows-on-device",
        default="auto",
        show_default=True,
        metavar="SIZE",
        help="Its memory that a corpus may take, or is sent by batches: 4GB, all, none; auto: half of what is free.",
    )
    return device_option(rows(command))


runs_option = click.option(
    "--runs",
    "root",
    type=GivenPath(),
    default=Path("runs"),
    show_default=True,
    envvar="LVM_RUNS",
    help="The folder of runs.",
)

STDOUT = "lvm_cli.stdout"
"""Where a command with --json keeps the standard output for its document."""


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--json; what a plugin prints meanwhile goes to standard error, so that nothing gets between."""

    @wraps(command)
    def alone(*words: Any, as_json: bool, **named: Any) -> Any:
        click.get_current_context().meta[STDOUT] = sys.stdout
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            return command(*words, as_json=as_json, **named)

    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")(alone)


def print_json(document: Any) -> None:
    """Print the document of a command with --json."""
    click.echo(to_json(document), file=click.get_current_context().meta[STDOUT])


def open_lab(
    files: tuple[Path, ...] = (),
    without: tuple[str, ...] = (),
    registries: tuple[Path, ...] = (),
    root: Path = Path("runs"),
    *,
    stderr: bool = True,
    forgiving: bool = False,
    device: str = "auto",
    rows_on_device: str = "auto",
) -> Lab:
    """The lab of a command.

    Args:
        stderr: what it says on the way goes there, and not to standard output.
        forgiving: a fault of a --plugin file is told of it by the command, and does not end it.
    """
    shown = console(stderr=stderr)
    return Lab(
        root,
        plugins=files,
        without=without,
        registries=registries,
        progress=shown,
        forgiving=forgiving,
        device=device,
        rows_on_device=rows_on_device,
    )
