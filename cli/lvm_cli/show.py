"""lvm show: everything known of a component, a variant, a run or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import click
from rich.table import Table
from rich.text import Text

from lvm_cli.console import console, echo
from lvm_cli.options import json_option, open_lab, plugin_options, print_json, registry_option, runs_option
from lvmcore.components import Option, options, write
from lvmcore.errors import LvmError, nearest
from lvmcore.files import to_json
from lvmcore.hookspecs import KINDS
from lvmcore.model_header import KIND
from lvmcore.plain import clean
from lvmcore.records import read_header, read_json, read_json_lines, read_toml
from lvmcore.registry import Registered, Registry
from lvmcore.report import run as report
from lvmcore.report.tables import Fitting, add_columns, add_text, new_table
from lvmcore.runs.folder import all_runs, find_run
from lvmcore.runs.run import Run
from lvmcore.variants.catalogue import Catalogue

MOST = 1 << 28
"""Bytes of a file, or of a header, that is shown."""

NOTHING = (None, "", [], (), {})
"""What an outline leaves out."""


@click.command("show")
@click.argument("what", metavar="NAME|RUN|FILE")
@registry_option
@plugin_options
@runs_option
@click.option("--all", "whole", is_flag=True, help="Of a run, everything that its record holds.")
@json_option
def command(
    what: str,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    root: Path,
    whole: bool,
    as_json: bool,
) -> None:
    """Show a component with its options, a variant, a run, or what is in a file."""
    lab = open_lab(files, without, registries, root)
    if not what.strip():
        raise LvmError(
            "nothing is named", expected="a component, a variant, a run or a file", fix="lvm list, or lvm runs"
        )
    path = Path(what)
    if path.is_file():
        _print(_file(path), as_json)
        return
    if path.is_dir() and not (path / "run.json").is_file():
        raise LvmError("the folder is no run", where=what, expected="a folder with a run.json", fix="lvm runs")
    if (path / "run.json").is_file() or what == "latest":
        _run(find_run(what, root), lab.registry, whole, as_json)
        return
    registry, catalogue = lab.registry, lab.catalogue
    found = [one for kind in KINDS for one in registry.all(kind) if one.name == what.split("/")[-1]]
    documents: list[dict[str, Any]] = []  # a name may be that of several things, as `table` is
    if what in catalogue.variants:
        documents.append(attrs.asdict(catalogue.variants[what]))
    if what in catalogue.profiles:
        documents.append({"gates": what, **_gates(catalogue, what)})
    if not found and not documents:
        _run(_found_run(what, root, registry, catalogue), registry, whole, as_json)
        return
    if as_json:
        documents = [*map(_described, found), *documents]
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    for one in found:
        _component(one)
    for document in documents:
        _print(document, as_json)


def _found_run(what: str, root: Path, registry: Registry, catalogue: Catalogue) -> Run:
    try:
        return find_run(what, root)
    except LvmError as problem:
        names = [one.name for kind in KINDS for one in registry.all(kind)]
        known = [*names, *catalogue.variants, *catalogue.profiles, *(run.path.name for run in all_runs(root))]
        guess = nearest(what, known)
        if "means" in problem.what:
            raise
        raise LvmError(
            f"there is no component, variant, run or file '{what}'" + (f"; did you mean '{guess}'?" if guess else ""),
            fix="lvm list, or lvm runs",
        ) from None


def _options(one: Registered) -> tuple[list[Option], list[Option]]:
    """A component's own options, and those that all of its kind have."""
    shared = KINDS[one.kind].shared
    return options(one.component), options(shared) if shared else []


def _described(one: Registered) -> dict[str, Any]:
    own, shared = _options(one)
    described = [{"name": o.name, "type": o.type_name, "default": o.default, "help": o.help} for o in [*own, *shared]]
    facts = {"kind": one.kind, "name": one.name, "plugin": one.plugin.dist, "version": one.plugin.version}
    return {**facts, "doc": one.component.__doc__, "options": described}


def _component(one: Registered) -> None:
    own, shared = _options(one)
    out = console()
    origin = f", {one.kind}, from {one.plugin.dist} {one.plugin.version} ({one.component.__module__})"
    out.print(Text.assemble((one.name, "bold"), origin))
    out.print("\n" + _dedent(one.component.__doc__ or "") + "\n")
    if own or shared:
        out.print(Fitting(_options_table(own, shared, apart) for apart in (True, False)))


def _options_table(own: list[Option], shared: list[Option], apart: bool) -> Table:
    """The options with type and default in columns apart, or below what they mean."""
    table = new_table()
    add_columns(table, "option", *(("type", "default") if apart else ()))
    add_text(table, "meaning")
    for item in [*own, *shared]:
        facts = (item.type_name, write(item.default))
        meaning = item.help if apart else f"{item.help}\n{facts[0]}, default {facts[1]}"
        table.add_row(item.name, *(facts if apart else ()), meaning, style="dim" if item in shared else "")
    return table


def _dedent(text: str) -> str:
    import inspect

    return inspect.cleandoc(text)


def _gates(catalogue: Catalogue, name: str) -> dict[str, Any]:
    """The conditions by figure; by split where the splits' differ."""
    rules: dict[str, dict[str, str]] = {}
    for gate in catalogue.profiles[name]:
        rules.setdefault(f"{gate.letter} {gate.figure}", {})[gate.split] = gate.rule.text
    return {figure: _joined(by_split) for figure, by_split in rules.items()}


def _joined(by_split: dict[str, str]) -> str | dict[str, str]:
    alike = len(set(by_split.values())) == 1 and set(by_split) in ({"val", "ood"}, {"both"})
    return next(iter(by_split.values())) if alike else by_split


def _run(run: Run, registry: Registry, whole: bool, as_json: bool) -> None:
    if whole or as_json:
        _print(_record(run), as_json)
        return
    out = console()
    out.print(report.page(run, registry), end="")
    out.print(report.command(run), soft_wrap=True)


def _record(run: Run) -> dict[str, Any]:
    document = run.document()
    document["epochs"] = len(run.epochs)
    if document["evaluation"]:
        document["evaluation"] = {
            "gates": document["evaluation"]["gates"],
            "file": str(run.path / "evaluation.json"),
        }
    return document


def _file(path: Path) -> Any:
    """The header of a safetensors file, or what a JSON, JSONL or TOML file holds; no tensor is read."""
    readers = {".json": read_json, ".jsonl": read_json_lines, ".toml": read_toml}
    if path.suffix in readers:
        return readers[path.suffix](path, MOST)
    header = read_header(path, MOST)
    found = header.about if header.about or not header.metadata else header.metadata
    about: dict[str, Any] = dict(found) if isinstance(found, dict) else {"lvm": found}
    for key in ("titles", "sources"):
        if isinstance(named := about.get(key), list) and len(named) > 6:
            about[key] = [*named[:5], f"… {len(named)} in all"]
    tensors = {name: f"{kind} {'×'.join(map(str, shape))}" for name, (kind, shape) in header.tensors.items()}
    if len(tensors) > 12 and about.get("kind") == KIND:
        tensors = {**dict(list(tensors.items())[:10]), "…": f"{len(tensors)} in all"}
    return {"file": str(path), "bytes": path.stat().st_size} | about | {"tensors": tensors}


def _print(document: Any, as_json: bool) -> None:
    if as_json:
        print_json(document)
    elif not isinstance(document, dict):
        echo(to_json(document))
    else:
        for line in _lines(document, ""):
            echo(line)


def _below(text: str, indent: str) -> str:
    """A line whose further lines, which a value may have, stand deeper than its key."""
    return clean(text).replace("\n", f"\n{indent}  ")


def _is_named(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)


def _lines(document: dict[str, Any], indent: str) -> list[str]:
    """An indented outline of a nested document."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list | tuple) and all(
            isinstance(item, dict) and isinstance(item.get("name"), str) for item in value
        ):
            value = {item["name"]: {k: v for k, v in item.items() if k != "name"} for item in value}
        if isinstance(value, dict) and value:
            lines += [_below(f"{indent}{key}", indent), *_lines(value, indent + "  ")]
        elif isinstance(value, list | tuple) and value and all(isinstance(item, dict) for item in value):
            lines.append(f"{indent}{key}")
            for item in value:
                facts = [f"{name} {fact}" for name, fact in item.items() if fact not in NOTHING]
                lines.append(f"{indent}  " + _below(" · ".join(facts), indent))
        elif value not in NOTHING:
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            lines.append(_below(f"{indent}{key}: {text}", indent))
    return lines
