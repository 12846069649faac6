"""Options that several commands share, and what they open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lvmcore.errors import LvmError
from lvmcore.files import to_json
from lvmcore.plugins import Plugins
from lvmcore.registry import KINDS, Registry
from lvmcore.runs.folder import find_run
from lvmcore.runs.run import Run

if TYPE_CHECKING:
    from lvmcore.variants.catalogue import Catalogue

LOCAL = Path("registry.toml")
"""Variants of one's own, beside the runs."""


def plugin_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--plugin and --no-plugin."""
    for option in (
        click.option("--no-plugin", "without", multiple=True, metavar="NAME", help="Leave a plugin out."),
        click.option(
            "--plugin", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE.py",
            help="Load a plugin from one file.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


registry_option = click.option(
    "--registry",
    "registries",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Read further variants and gate profiles.",
)

runs_option = click.option(
    "--runs",
    "root",
    type=click.Path(path_type=Path),
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


def open_registry(files: tuple[Path, ...] = (), without: tuple[str, ...] = ()) -> Registry:
    """Load the plugins."""
    return Registry(Plugins(files, without))


def open_catalogue(registry: Registry, registries: tuple[Path, ...] = ()) -> Catalogue:
    """Variants and profiles: the wheel's, the plugins', ./registry.toml, then --registry."""
    from lvmcore.variants.catalogue import default_files, load_catalogue

    shipped = {file.read_bytes() for file in default_files()}
    local = [LOCAL] if LOCAL.is_file() and LOCAL.read_bytes() not in shipped else []  # one in a checkout is the same
    catalogue = load_catalogue([*default_files(), *plugged_files(registry), *local, *registries])
    catalogue.absent = registry.plugins.absent()
    return catalogue


def examine(registry: Registry) -> None:
    """Ask the plugins for all that they give, which is what brings a broken one to light."""
    from lvmcore.evaluation.checks import checks_of

    for kind in KINDS:
        registry.all(kind)
    checks_of(registry)
    plugged_files(registry)


def plugged_files(registry: Registry) -> list[Path]:
    """The files of variants that plugins bring; one that cannot be read is its plugin's fault, and left out."""
    from lvmcore.variants.catalogue import default_files, load_catalogue

    files: list[Path] = []
    for plugin, file in registry.variant_files():
        try:
            load_catalogue([*default_files(), *files, file])
        except LvmError as problem:
            plugin.fail(f"lvm_variants: {problem}")
        else:
            files.append(file)
    return files


def open_run(text: str, root: Path) -> Run:
    """The run that a word of the command line means; where several have the name, which was taken is said."""
    return find_run(text, root, lambda said: click.echo(f"lvm: note: {said}", err=True))
