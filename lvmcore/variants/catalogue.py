"""registry.toml → variants and gate profiles, every mistake in a file reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs
import cattrs

from lvmcore.errors import LvmError, nearest, unknown
from lvmcore.records import converter, describe, mistakes, read_toml
from lvmcore.registry import Registry
from lvmcore.variants.gates import FORMS, Gate, parse_rule
from lvmcore.variants.published import BySplit
from lvmcore.variants.variant import BASE, Variant

LOCAL = Path("registry.toml")
"""Variants of one's own, beside the runs."""


@attrs.define
class Catalogue:
    """All variants and gate profiles that are known, with the file each came from."""

    variants: dict[str, Variant] = attrs.field(factory=dict)
    profiles: dict[str, tuple[Gate, ...]] = attrs.field(factory=dict)
    origins: dict[tuple[str, str], str] = attrs.field(factory=dict)
    absent: str = ""
    """Which plugins may own a name that is not here."""

    def variant(self, name: str) -> Variant:
        if name not in self.variants:
            raise unknown("variant", name, self.variants, where=None, fix=f"lvm list variants{self.absent}")
        return self.variants[name]

    def profile(self, name: str) -> tuple[Gate, ...]:
        if name not in self.profiles:
            raise unknown("gate profile", name, self.profiles, where="--gates", fix=f"lvm list gates{self.absent}")
        return self.profiles[name]


def default_files() -> list[Path]:
    """The project's own registry.toml: inside the wheel, or at the top of a checkout."""
    package = Path(str(files("lvmcore")))
    inside = package / "registry.toml"
    return [inside if inside.is_file() else package.parent / "registry.toml"]


def all_files(registry: Registry) -> list[Path]:
    """The project's own files, those that plugins bring, and `./registry.toml`.

    A plugin's file that cannot be read is its plugin's fault, and left out.
    """
    shipped = default_files()
    plugged: list[Path] = []
    for plugin, file in registry.variant_files():
        try:
            load_catalogue([*shipped, *plugged, file])
        except LvmError as problem:
            plugin.fail(f"lvm_variants: {problem}")
        else:
            plugged.append(file)
    # one in a checkout is the same
    local = [LOCAL] if LOCAL.is_file() and LOCAL.read_bytes() not in {file.read_bytes() for file in shipped} else []
    return [*shipped, *plugged, *local]


def load_catalogue(paths: Iterable[Path]) -> Catalogue:
    """Read TOML files in order; a variant that replaces another replaces it for all that extend it.

    Raises:
        LvmError: with every mistake of a file at once; for a name met twice without `replace = true`.
    """
    catalogue = Catalogue()
    raw: dict[str, dict[str, Any]] = {}
    faults: dict[str, list[str]] = {}
    for file in dict.fromkeys(path.resolve() for path in paths):
        document, found = _read_toml(file), faults.setdefault(str(file), [])
        if extra := set(document) - {"variants", "gates"}:
            found.append(f"unknown tables: {', '.join(sorted(extra))}")
        for kind in ("variants", "gates"):
            tables = document.get(kind, {})
            if not isinstance(tables, dict):
                found.append(f"{kind}: tables [{kind}.NAME] were expected")
                continue
            for name, table in tables.items():
                earlier = catalogue.origins.get((kind, name))
                if not isinstance(table, dict):
                    found.append(f"{kind}.{name}: a table was expected")
                elif not table.pop("replace", False) and earlier:
                    found.append(f"{kind}.{name}: already defined in {earlier}; say replace = true, or rename it")
                else:
                    catalogue.origins[kind, name] = str(file)
                    if kind == "variants":
                        raw[name] = table
                    else:
                        catalogue.profiles[name] = tuple(_gates(f"gates.{name}", table, found))
    catalogue.variants, own = _resolved(raw)
    for name, wrong in own.items():
        faults[catalogue.origins["variants", name]] += wrong
    for circle in _circles(raw):
        order = [list(faults).index(catalogue.origins["variants", name]) for name in circle]
        first = order.index(max(order))  # of the file that was read last, which closed it
        circle = [*circle[first:], *circle[: first + 1]]
        faults[catalogue.origins["variants", circle[0]]].append(
            f"variants.{circle[0]}: extends itself by way of {' → '.join(circle)}"
        )
    for file, found in faults.items():
        if found:
            raise LvmError(
                f"{len(found)} mistake{'s' * (len(found) > 1)} in a registry file:\n  - " + "\n  - ".join(found),
                where=file,
                fix="see docs/variants.md for the form",
            )
    return catalogue


def _read_toml(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise LvmError("there is no such registry file", where=str(file))
    return read_toml(file)


_converter = converter(forbid_extra_keys=True)
_structure_figure = _converter.get_structure_hook(BySplit)


def variant_of(table: dict[str, Any], where: str) -> Variant:
    """The variant that a run's record holds.

    Raises:
        LvmError: it lacks a key, has an unknown one, or one of a wrong type, each of them named.
    """
    try:
        return _converter.structure(table, Variant)
    except Exception as problem:
        raise LvmError("; ".join(mistakes(problem)), where=where) from None


def _by_split(value: Any, kind: Any) -> BySplit:
    return _structure_figure(value if isinstance(value, dict) else {"val": value}, kind)


_converter.register_structure_hook(BySplit, _by_split)


def _circles(raw: dict[str, dict[str, Any]]) -> list[list[str]]:
    """The variants that extend each other in a circle, each circle once."""
    found: dict[frozenset[str], list[str]] = {}
    for name in raw:
        chain = [name]
        while (parent := _parent(chain[-1], raw)) in list(raw) and parent not in chain:
            chain.append(parent)
        if parent in chain:
            circle = chain[chain.index(parent) :]
            found.setdefault(frozenset(circle), circle)
    return list(found.values())


def _parent(name: str, raw: dict[str, dict[str, Any]]) -> Any:
    """What a variant extends, as it is written."""
    return raw[name].get("extends", BASE if name != BASE and BASE in raw else None)


def _resolved(raw: dict[str, dict[str, Any]]) -> tuple[dict[str, Variant], dict[str, list[str]]]:
    """Every variant on top of what it extends, and the mistakes of each."""
    done: dict[str, Variant | None] = {}
    faults: dict[str, list[str]] = {name: [] for name in raw}
    found = {name: _resolve(name, raw, done, faults) for name in raw}
    return {name: variant for name, variant in found.items() if variant}, faults


def _resolve(
    name: str, raw: dict[str, dict[str, Any]], done: dict[str, Variant | None], faults: dict[str, list[str]]
) -> Variant | None:
    """Structure one variant on top of what it extends; None where it, or what it extends, has mistakes.

    Its own mistakes go to its `faults`. They are found whatever it extends: where that can't be read, `base` stands in.
    """
    if name in done:
        return done[name]
    done[name] = None  # which is what whoever comes back here by a circle finds
    found, where = faults[name], f"variants.{name}"
    parent_name, parent = _parent(name, raw), None
    if isinstance(parent_name, str) and parent_name in raw:
        parent = _resolve(parent_name, raw, done, faults)
    elif parent_name is not None:
        guess = nearest(str(parent_name), raw)
        found.append(
            f"{where}: extends '{parent_name}', which is unknown" + (f"; did you mean '{guess}'?" if guess else "")
        )
    sound = parent is not None or parent_name is None
    ground = parent or (_resolve(BASE, raw, done, faults) if BASE in raw else None)
    table = {key: value for key, value in raw[name].items() if key != "extends"}
    if not _are_tables(table.get("stages", [])):
        found.append(f"{where}: stages: tables [[{where}.stages]] were expected")
        del table["stages"]
    try:
        variant = _converter.structure(_merged(name, table, ground), Variant)
    except Exception as problem:
        messages = mistakes(problem)
        messages += [said for said in _out_of_range(table) if not any(said in message for message in messages)]
        if not sound:  # what it would have inherited is no mistake of its own
            inherited = {f"{field.name}: the key '{field.name}' is missing" for field in attrs.fields(Variant)}
            messages = [said for said in messages if said not in inherited]
        found += [f"{where}: {message}" for message in messages]
        return None
    if variant.stages and sum(stage.epochs for stage in variant.stages) != variant.epochs:
        found.append(f"{where}: the stages hold {sum(s.epochs for s in variant.stages)} epochs, not {variant.epochs}")
    done[name] = variant if sound and not found else None
    return done[name]


def _merged(name: str, table: dict[str, Any], parent: Variant | None) -> dict[str, Any]:
    """The settings of a variant: what it says, else what it inherits."""
    merged: dict[str, Any] = {}
    if parent is not None:
        inherited = attrs.asdict(parent, filter=lambda field, value: value is not None)
        merged = {k: v for k, v in inherited.items() if k not in ("title", "approach", "date", "source", "reported")}
        merged["stages"] = [dict(stage) for stage in inherited["stages"]]
    merged |= table | {"name": name}
    if table.get("stages"):
        lengths = [stage.get("epochs") for stage in table["stages"]]
        merged["epochs"] = table.get("epochs", sum(length for length in lengths if isinstance(length, int)))
    elif "epochs" in table:
        merged["stages"] = []
    return merged


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _out_of_range(table: dict[str, Any]) -> Iterable[str]:
    """Values of the right type that a validator refuses; attrs itself looks at none once a type is wrong."""
    for field in attrs.fields(Variant):
        if field.name in table and field.validator is not None:
            try:
                field.validator(None, field, _converter.structure(table[field.name], field.type))  # pyright: ignore
            except cattrs.BaseValidationError:
                continue
            except (ValueError, TypeError) as problem:
                yield describe(problem, None)


def _gates(where: str, table: dict[str, Any], faults: list[str]) -> Iterable[Gate]:
    """The gates of one profile: letter → figure → condition, or conditions by split."""
    for letter, figures in table.items():
        if not isinstance(figures, dict):
            faults.append(f"{where}.{letter}: a table of figures was expected")
            continue
        for figure, condition in figures.items():
            by_split = condition if isinstance(condition, dict) else {"val": condition, "ood": condition}
            for split, text in by_split.items():
                try:
                    if split not in ("val", "ood", "both"):
                        raise ValueError(f"'{split}' is no split: val, ood or both")
                    yield Gate(letter, figure, split, parse_rule(str(text)))
                except ValueError as problem:
                    faults.append(f"{where}.{letter}.{figure}: {problem}; expected {FORMS}")
