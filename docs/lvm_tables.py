"""The tables of the documentation, from the registry, the hooks, the variants and the commands themselves.

`make docs` writes them into the pages; `make lint` says whether they still hold.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import attrs
import click

import lvmcore
from lvm_cli.main import cli
from lvmcore import hookspecs
from lvmcore.components import options, write
from lvmcore.evaluation.checks import best_by
from lvmcore.evaluation.figures import Declared
from lvmcore.hookspecs import KINDS, Kind
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.report.columns import declared_in
from lvmcore.serving.description import REFUSALS
from lvmcore.testing.promises import ANY, PLUGIN
from lvmcore.testing.promises import promises as all_promises
from lvmcore.variants.catalogue import Catalogue, default_files, load_catalogue
from lvmcore.variants.published import DIAGNOSTIC, BySplit, Reported
from lvmcore.variants.variant import BASE, Stage, Variant

ROOT = Path(__file__).resolve().parent.parent

VARIANT_KEYS = {
    "arch": "expression: the architecture, then its wrappers",
    "loss": "expression: the objective",
    "inputs": "expression: input encodings, applied in order; empty for none",
    "sampler": "one term: which training windows, in which order",
    "schedule": "one term: the learning rate's course",
    "optimizer": "one term: what takes the steps",
    "context": "rows of context C that the model reads",
    "data": "a corpus file or a corpus by name, as after `--data`",
    "epochs": "passes over what the sampler gives; where there are stages, their sum",
    "batch_size": "windows a step",
    "lr": "learning rate",
    "weight_decay": "weight decay of the optimizer",
    "clip": "the gradient's norm is clipped at this",
    "ema": "decay of the average of the weights over the steps, which is then what is validated and kept; 0: none",
    "best": "what the kept weights are chosen by: {best}",
    "patience": "epochs without a better one after which the run ends; without it, it goes to its end",
    "gates": "the gate profile that the final evaluation is judged by",
    "stages": "array of tables, see below",
    "title": "what the comparison calls it; else its name",
    "approach": "what it does, in the comparison's words; else its expressions",
    "date": "when it was first run",
    "source": "where it is published",
    "reported": "figures published for it, see below; kept as they are",
}
REPORTED_KEYS = {
    "protocol": "how they were measured: {protocols}",
    "margin": "of a training diagnostic, the margin over the last row",
    "r1": "a ratio, not per cent",
    "r5": "a ratio, not per cent",
    "gates": "how many passed, of how many, such as `2/5`",
    "note": "anything else worth knowing",
}
STAGE_KEYS = {
    "name": "stands in the records and in the reason of a failed gate",
    "epochs": "its length",
    "gates": "the profile that the best weights so far must pass for the run to go on",
    "arch": "as above; may change options that alter no tensor's shape, such as `dropout` or `last_bias`",
    "inputs": "as above, under the same restriction",
    "loss": "as above",
    "sampler": "as above",
    "schedule": "as above; a new course begins here",
    "batch_size": "as above",
    "lr": "as above; a new course of the schedule begins here",
}


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    lines = [list(heads)]
    lines += [["---"] * len(lines[0]), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("|" + "|".join(f" {cell} " if cell else " " for cell in line) + "|" for line in lines)


@cache
def registry() -> Registry:
    """The built-in plugins alone, so that what else is installed does not show."""
    return Registry(Plugins(only=()))


@cache
def catalogue() -> Catalogue:
    return load_catalogue(default_files())


def components(kind: str) -> str:
    """Every component of a kind with its options."""
    rows: list[list[str]] = []
    for found in registry().all(kind):
        rows.append([f"**`{found.name}`**", "", "", "", _paragraph(found.component)])
        rows += [["", *row] for row in _options(found.component)]
    return table(["name", "option", "type", "default", "meaning"], rows)


def _paragraph(component: type) -> str:
    """The first paragraph of a docstring, with the source that its first sentence leaves out."""
    return " ".join((component.__doc__ or "").strip().split("\n\n")[0].split())


def common_options(kind: str) -> str:
    """The options that every component of a kind has besides its own."""
    shared = KINDS[kind].shared
    return table(["option", "type", "default", "meaning"], _options(shared) if shared else ())


def kind_sections() -> str:
    """A section a kind: what it is, the options that all its components share, and its components."""
    return "\n\n".join("\n\n".join(_section(kind)) for kind in KINDS.values())


def _section(kind: Kind) -> Iterator[str]:
    yield f"## {kind.plural.capitalize()}"
    yield _filled(_contract(kind.hook))
    if kind.shared:
        acting = ", and they act on its first" * kind.scaled
        yield f"Every {kind.name} has these options besides its own{acting}."
        yield common_options(kind.name)
    yield components(kind.name) if registry().all(kind.name) else "None is built in."


def _options(component: type) -> Iterator[list[str]]:
    for item in options(component):
        yield [f"`{item.name}`", item.type_name, f"`{write(item.default)}`", item.help]


def kinds() -> str:
    """Every kind of component: how it is listed and the hook that gives it."""
    rows = [
        [
            kind.name,
            f"`lvm list {kind.plural}`",
            f"`{kind.hook}`",
            str(len(registry().all(kind.name))),
            f"`{kind.use.format(name='NAME')}`",
        ]
        for kind in KINDS.values()
    ]
    return table(["kind", "command", "hook", "built in", "used by"], rows)


def component_hooks() -> str:
    """The hooks that give components or files, with the contract of each."""
    return _hooks(name for name in _hook_names() if not _facts(name))


def listener_hooks() -> str:
    """The hooks that are called during a run or an evaluation, in the order of a run's life."""
    return _hooks(name for name in _hook_names() if _facts(name))


def _hook_names() -> list[str]:
    return [name for name, value in vars(hookspecs).items() if name.startswith("lvm_") and inspect.isfunction(value)]


def _facts(hook: str) -> list[str]:
    """What a hook is told; nothing where it gives something."""
    return list(inspect.signature(getattr(hookspecs, hook)).parameters)


def _contract(hook: str) -> str:
    return " ".join((inspect.getdoc(getattr(hookspecs, hook)) or "").split())


def _hooks(names: Iterable[str]) -> str:
    return table(["hook", "contract"], ([f"`{name}({', '.join(_facts(name))})`", _contract(name)] for name in names))


def figures() -> str:
    """Every figure that the default protocol declares."""
    rows = [
        [
            f"`{key}`",
            one.figure.label,
            one.figure.help,
            one.figure.aggregate,
            one.figure.better,
            "yes" if one.figure.compared else "",
        ]
        for key, one in declared_in({}, registry()).items()
    ]
    return table(["figure", "in tables", "what it is", "aggregate", "better", "compared with the cheats"], rows)


def promises() -> str:
    """Every check of the conformance kit, by kind."""
    names = {PLUGIN: "the plugin", ANY: "every component"}
    rows = [
        [names.get(kind, kind), f"`{held.name}`", held.text]
        for kind in (PLUGIN, ANY, *KINDS)
        for held in all_promises()
        if held.kind == kind
    ]
    return table(
        ["of", "check", "what holds"],
        [["" if i and rows[i - 1][0] == row[0] else row[0], *row[1:]] for i, row in enumerate(rows)],
    )


def public_names() -> str:
    """What `lvmcore` exports."""
    rows = []
    for name in lvmcore.__all__:
        thing = getattr(lvmcore, name)
        text = "marks a function of a plugin as a hook" if name == "hookimpl" else inspect.getdoc(thing) or ""
        rows.append([f"`{name}`", text.split("\n\n")[0].replace("\n", " ")])
    return table(["name", "what it is"], rows)


def variant_keys() -> str:
    """Every key of a variant, with the value of `base`."""
    base, best = catalogue().variant(BASE), _or(best_by(registry()))
    rows = [
        [f"`{name}`", kind, _value(getattr(base, name)), VARIANT_KEYS[name].format(best=best)]
        for name, kind in _keys(Variant)
        if name != "name"
    ]
    rows += [
        ["`extends`", "text", "", "the variant to build on; `base` where nothing is said"],
        ["`replace`", "true or false", "`false`", "the name is met a second time on purpose"],
    ]
    return table(["key", "type", "in `base`", "meaning"], rows)


def stage_keys() -> str:
    """Every key of a stage."""
    rows = [[f"`{name}`", kind, STAGE_KEYS[name]] for name, kind in _keys(Stage)]
    return table(["key", "type", "meaning"], rows)


def reported_keys() -> str:
    """Every key of the figures reported for a variant."""
    protocols = _or([*(found.name for found in registry().all("protocol")), DIAGNOSTIC])
    told = {name: [text.format(protocols=protocols)] for name, text in REPORTED_KEYS.items()}
    of = {name: [f"`{one.key}`, {one.figure.help}"] for name, one in _published().items()}
    rows = [[f"`{name}`", kind, "; ".join(of.get(name, []) + told.get(name, []))] for name, kind in _keys(Reported)]
    return table(["key", "type", "meaning"], rows)


def _published() -> dict[str, Declared]:
    """The figures that can be reported for a variant, by their keys there."""
    known = declared_in({}, registry())
    return {field.name: known[field.metadata["figure"]] for field in attrs.fields(Reported) if field.metadata}


def variants() -> str:
    """Every named variant with the figures reported for it; VAL / OOD where both are known."""
    rows = []
    published = _published()
    for variant in catalogue().variants.values():
        found = variant.reported
        figures = [_by_split(getattr(found, key, None)) for key in published]
        protocol = found.protocol if found else ""
        rows.append(
            [
                f"`{variant.name}`",
                variant.approach,
                variant.date,
                *figures,
                getattr(found, "gates", None) or "",
                protocol,
            ]
        )
    labels = (one.figure.label for one in published.values())
    return table(["variant", "what it does", "date", *labels, "gates", "protocol"], rows)


def _by_split(figure: BySplit | float | None) -> str:
    known = [figure.val, figure.ood] if isinstance(figure, BySplit) else [figure]
    return " / ".join(f"{number:g}".replace("-", "−") for number in known if number is not None)


def _keys(cls: type) -> Iterator[tuple[str, str]]:
    """The fields of an attrs class with the TOML type of each."""
    names = {str: "text", int: "whole number", float: "number", tuple: "array of tables"}
    names |= {Reported: "table", BySplit: "number, or `{ val = …, ood = … }`"}
    for name, hint in get_type_hints(cls).items():
        kinds = [hint, get_origin(hint), *get_args(hint)]
        yield name, next(names[kind] for kind in kinds if kind in names)


def _or(names: Iterable[str]) -> str:
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} or {last}"


def _filled(text: str) -> str:
    """A paragraph in lines as long as those of the pages."""
    return textwrap.fill(text, 118, break_on_hyphens=False)


def _value(value: Any) -> str:
    return "" if value in ("", (), None) else f"`{value}`"


def gate_profiles() -> str:
    """Every gate of every profile, a column a profile; `VAL / OOD` where they differ."""
    profiles = catalogue().profiles
    held: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for name, gates in profiles.items():
        for gate in gates:
            held.setdefault((gate.letter, gate.figure), {}).setdefault(name, {})[gate.split] = gate.rule.text
    rows = [
        [f"{letter} `{figure}`", *(_condition(by_profile.get(name, {})) for name in profiles)]
        for (letter, figure), by_profile in sorted(held.items(), key=lambda item: item[0][0])
    ]
    return table(["gate", *(f"`{name}`" for name in profiles)], rows)


def _condition(splits: dict[str, str]) -> str:
    if not splits or "both" in splits:
        return splits.get("both", "")
    if set(splits) == {"val"}:
        return f"{splits['val']} (VAL)"
    return splits["val"] if splits["val"] == splits["ood"] else f"{splits['val']} / {splits['ood']}"


def commands() -> str:
    """Every command with the first sentence of its help."""
    rows = [[f"`lvm {name}`", (command.help or "").split("\n\n")[0]] for name, command in _commands(cli, "")]
    return table(["command", "what it does"], [[name, " ".join(text.split())] for name, text in rows])


def command_options() -> str:
    """A section a command, with its arguments and options."""
    sections = []
    for name, command in _commands(cli, ""):
        context = click.Context(command, info_name=f"lvm {name}")
        text = " ".join((command.help or "").split("\b")[0].split())
        rows = [
            [f"`{' '.join(_flags(item))}`", *_default_and_help(item)]
            for item in command.params
            if isinstance(item, click.Option)
        ]
        usage = command.get_usage(context).removeprefix("Usage: ")
        listed = table(["option", "default", "meaning"], rows)
        sections.append(f"## lvm {name}\n\n`{' '.join(usage.split())}`\n\n{_filled(text)}\n\n{listed}")
    return "\n\n".join(sections)


def _commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        elif command is not None:
            yield f"{prefix}{name}", command


def _flags(item: click.Option) -> list[str]:
    flags = [", ".join(item.opts)]
    if item.is_flag:
        return flags
    if isinstance(item.type, click.Choice):
        return [*flags, "|".join(map(str, item.type.choices))]
    return [*flags, item.metavar or {"integer range": "N", "integer": "N", "float": "X"}.get(item.type.name, "TEXT")]


def _default_and_help(item: click.Option) -> tuple[str, str]:
    """Some defaults are told in the help text: `[default: all]`."""
    text, told, default = (item.help or "").partition("[default: ")
    if told:
        return default.removesuffix("]"), text.strip()
    shown = isinstance(item.default, str | int | float | Path) and item.default != "" and not item.is_flag
    return f"`{item.default}`" if shown else "", text


def file(path: str, language: str) -> str:
    """A file of the repository as a code block, its name in the first line."""
    text = (ROOT / path).read_text("utf-8").rstrip()
    return f"```{language}\n# {Path(path).name}\n{text}\n```"


def refusals() -> str:
    """The statuses with which a server refuses."""
    return table(["status", "when"], [[status, said] for status, said in REFUSALS.items()])
