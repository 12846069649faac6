"""lvm list: the components, variants and gate profiles that there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
from rich.table import Table
from rich.text import Text

from lvm_cli.console import console
from lvm_cli.options import json_option, open_lab, plugin_options, print_json, registry_option
from lvmcore.components import options, summary, write
from lvmcore.errors import LvmError
from lvmcore.hookspecs import KINDS
from lvmcore.registry import Registry, kind_of
from lvmcore.report.columns import declared_in
from lvmcore.report.details import approach
from lvmcore.report.tables import Fitting, add_columns, add_text, new_table
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import BASE, Variant

BUILT_IN = "built-in"

SETTINGS = ("arch", "loss", "inputs", "sampler", "schedule", "epochs", "batch_size", "lr")
"""The settings of a variant that say what it is."""


@click.command("list")
@click.argument("kind", required=False)
@registry_option
@plugin_options
@json_option
def command(
    kind: str | None,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    as_json: bool,
) -> None:
    """List what there is of a KIND, singular or plural, or of `figures`, `variants`, `gates`; of all without one."""
    lab = open_lab(files, without, registries, forgiving=True)
    registry = lab.registry
    rows = [row for name in _wanted(kind) for row in _rows(name, registry, lab.catalogue)]
    if as_json:
        print_json(rows)
        return
    out = console()
    out.print(Fitting([_wide(rows), _narrow(rows)]))
    for plugin in registry.plugins.failed:
        out.print(Text(f"plugin {plugin.dist}/{plugin.name} failed: {plugin.reason}", style="red"))


def _wide(rows: list[dict[str, Any]]) -> Table:
    table = new_table()
    add_columns(table, "kind", "name", "plugin")
    for name, room in (("options", 30), ("what it is", 60)):
        table.add_column(name, overflow="fold", min_width=room)
    previous = None
    for row in rows:
        shown = row["kind"] if row["kind"] != previous else ""
        previous = row["kind"]
        table.add_row(shown, row["name"], row["plugin"], row["options"], row["summary"])
    return table


def _narrow(rows: list[dict[str, Any]]) -> Table:
    """The kinds as headings, and the options below what a thing is."""
    table = new_table()
    add_columns(table, "name")
    add_text(table, "what it is")
    previous = None
    for row in rows:
        if row["kind"] != previous:
            table.add_row(Text(row["kind"], style="bold"))
        previous = row["kind"]
        plugin = "" if row["plugin"] == BUILT_IN else row["plugin"]
        below = "  ".join(text for text in (row["options"], plugin) if text)
        what = Text(row["summary"])
        table.add_row(f"  {row['name']}", Text.assemble(what, "\n", (below, "dim")) if below else what)
    return table


def _wanted(kind: str | None) -> list[str]:
    if kind is None:
        return [*KINDS, "variant", "gates"]
    if kind.lower() in ("variant", "variants"):
        return ["variant"]
    if kind.lower() in ("gate", "gates"):
        return ["gates"]
    if kind.lower() in ("figure", "figures"):
        return ["figures"]
    try:
        return [kind_of(kind).name]
    except LvmError as problem:
        problem.expected = ", ".join([*(found.plural for found in KINDS.values()), "figures", "variants", "gates"])
        raise


def _rows(kind: str, registry: Registry, catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    if kind == "variant":
        for variant in catalogue.variants.values():
            text = approach(attrs.asdict(variant))
            what = f"{variant.title}: {text}" if variant.title else text
            yield _row("variant", variant.name, _settings(variant, catalogue), "", what)
        return
    if kind == "gates":
        for name, gates in catalogue.profiles.items():
            yield _row("gates", name, "", "", ", ".join(dict.fromkeys(f"{g.letter} {g.figure}" for g in gates)))
        return
    if kind == "figures":
        for one in declared_in({}, registry).values():
            listed = " ".join(text for text in (one.figure.key, one.figure.aggregate, one.figure.better) if text)
            yield _row("figures", one.key, listed, "", f"{one.figure.label}: {one.figure.help}")
        return
    for found in registry.all(kind):
        listed = " ".join(f"{item.name}={write(item.default)}" for item in options(found.component))
        plugin = BUILT_IN if found.plugin.builtin else f"{found.plugin.dist} {found.plugin.version}"
        yield _row(kind, found.name, listed, plugin, summary(found.component))


def _settings(variant: Variant, catalogue: Catalogue) -> str:
    """What a variant sets otherwise than `base`; all that `base` sets."""
    base = catalogue.variants.get(BASE)
    settings = {key: getattr(variant, key) for key in SETTINGS}
    if variant.stages:
        settings["stages"] = "/".join(stage.name.replace(" ", "-") for stage in variant.stages)
    same = {key: getattr(base, key, None) for key in SETTINGS} if base and variant.name != BASE else {}
    return " ".join(f"{key}={value}" for key, value in settings.items() if value not in ("", same.get(key)))


def _row(kind: str, name: str, listed: str, plugin: str, text: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "options": listed, "plugin": plugin, "summary": text}
