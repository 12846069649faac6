"""lvm plugins: what was found, and what became of it."""

from __future__ import annotations

from pathlib import Path

import attrs
import click
from rich.text import Text

from lvm_cli.console import console, echo
from lvm_cli.options import json_option, open_lab, plugin_options, print_json
from lvmcore.hookspecs import KINDS
from lvmcore.installation import examine
from lvmcore.plugins import Plugin
from lvmcore.report.tables import add_columns, add_text, new_table

COLOURS = {"ok": "green", "FAILED": "red", "off": "yellow"}


@click.command("plugins")
@plugin_options
@click.option("--requirements", is_flag=True, help="Print pins for pip instead: what makes this installation again.")
@json_option
def command(files: tuple[Path, ...], without: tuple[str, ...], requirements: bool, as_json: bool) -> None:
    """List the plugins, what each gives, and why one failed.

    \b
    lvm plugins --requirements > requirements.txt
    """
    registry = open_lab(files, without, forgiving=True).registry
    examine(registry, builtin=False)
    if requirements:
        echo("\n".join(pins(registry.plugins.found)))
        return
    gives: dict[int, list[str]] = {}
    for kind in KINDS:
        for found in registry.all(kind):
            gives.setdefault(id(found.plugin), []).append(found.name)
    plugins = registry.plugins.found
    if as_json:
        told = attrs.filters.exclude(attrs.fields(Plugin).required)  # none is, here
        print_json([{**attrs.asdict(p, filter=told), "components": gives.get(id(p), [])} for p in plugins])
        return
    table = new_table()
    add_columns(table, "plugin", "distribution", "version", "status")
    add_text(table, "gives")
    for plugin in plugins:
        status = Text(plugin.status, style=COLOURS[plugin.status])
        text = f"{plugin.status}: {plugin.reason}" if plugin.reason else " ".join(gives.get(id(plugin), plugin.hooks))
        table.add_row(plugin.name, plugin.dist, plugin.version, status, text)
    console().print(table)


def pins(plugins: list[Plugin]) -> list[str]:
    """`dist==version` of each distribution that is in use; a plugin of one file is a comment."""
    used = [plugin for plugin in plugins if plugin.status == "ok"]
    pinned = {f"{plugin.dist}=={plugin.version}" for plugin in used if not plugin.is_file}
    return [*sorted(pinned), *(f"# --plugin {plugin.origin}" for plugin in used if plugin.is_file)]
