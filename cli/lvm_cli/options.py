"""Options that several commands share, and what they open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lvmcore.catalogue import Catalogue, default_files, load_catalogue
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.runs import Run, find_run

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

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


def open_registry(files: tuple[Path, ...] = (), without: tuple[str, ...] = ()) -> Registry:
    """Load the plugins."""
    return Registry(Plugins(files, without))


def open_catalogue(registry: Registry, registries: tuple[Path, ...] = ()) -> Catalogue:
    """Variants and profiles: the wheel's, the plugins', ./registry.toml, then --registry."""
    local = [LOCAL] if LOCAL.is_file() else []
    plugged = [file for _, file in registry.variant_files()]
    return load_catalogue([*default_files(), *plugged, *local, *registries])


def open_run(text: str, root: Path) -> Run:
    """The run that a word of the command line means; where several have the name, which was taken is said."""
    return find_run(text, root, lambda said: click.echo(f"lvm: note: {said}", err=True))
