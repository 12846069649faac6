"""registry.toml → variants and gate profiles, every mistake in a file reported at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs
import cattrs

from lvmcore.errors import LvmError, nearest, unknown
from lvmcore.variants.gates import FORMS, Gate, parse_rule
from lvmcore.variants.published import Figure
from lvmcore.variants.variant import BASE, Variant


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
    for name in raw:
        _resolve(name, raw, catalogue.variants, faults[catalogue.origins["variants", name]])
    for file, found in faults.items():
        if found:
            raise LvmError(
                f"{len(found)} mistake{'s' * (len(found) > 1)} in a registry file:\n  - " + "\n  - ".join(found),
                where=file,
                fix="see docs/variants.md for the form",
            )
    return catalogue


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise LvmError("there is no such registry file", where=str(file)) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise LvmError(f"the registry file cannot be read: {problem}", where=str(file)) from None


_converter = cattrs.Converter(forbid_extra_keys=True)


def _strict(kind: type, *accepted: type):
    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
            raise ValueError(f"{value!r} is no {kind.__name__}")
        return kind(value)

    return structure


for _kind, _accepted in ((str, (str,)), (int, (int,)), (float, (int, float))):
    _converter.register_structure_hook(_kind, _strict(_kind, *_accepted))

_structure_figure = _converter.get_structure_hook(Figure)


def _by_split(value: Any, kind: Any) -> Figure:
    return _structure_figure(value if isinstance(value, dict) else {"val": value}, kind)


_converter.register_structure_hook(Figure, _by_split)


def _resolve(
    name: str,
    raw: dict[str, dict[str, Any]],
    done: dict[str, Variant],
    faults: list[str],
    chain: tuple[str, ...] = (),
) -> Variant | None:
    """Structure one variant on top of what it extends; mistakes go to `faults`."""
    if name in done:
        return done[name]
    where = f"variants.{name}"
    if name in chain:
        faults.append(f"{where}: extends itself by way of {' → '.join([*chain, name])}")
        return None
    table = dict(raw[name])
    parent_name = table.pop("extends", BASE if name != BASE and BASE in raw else None)
    merged: dict[str, Any] = {}
    if not _are_tables(table.get("stages", [])):
        faults.append(f"{where}: stages: tables [[{where}.stages]] were expected")
        return None
    if parent_name is not None:
        if not isinstance(parent_name, str) or parent_name not in raw:
            guess = nearest(str(parent_name), raw)
            faults.append(
                f"{where}: extends '{parent_name}', which is unknown" + (f"; did you mean '{guess}'?" if guess else "")
            )
            return None
        parent = _resolve(parent_name, raw, done, faults, (*chain, name))
        if parent is None:
            faults.append(f"{where}: extends '{parent_name}', which has mistakes of its own")
            return None
        inherited = attrs.asdict(parent, filter=lambda field, value: value is not None)
        merged = {k: v for k, v in inherited.items() if k not in ("title", "approach", "date", "source", "reported")}
        merged["stages"] = [dict(stage) for stage in inherited["stages"]]
    merged |= table | {"name": name}
    if table.get("stages"):
        lengths = [stage.get("epochs") for stage in table["stages"]]
        merged["epochs"] = table.get("epochs", sum(length for length in lengths if isinstance(length, int)))
    elif "epochs" in table:
        merged["stages"] = []
    try:
        variant = _converter.structure(merged, Variant)
    except Exception as problem:
        messages = _messages(problem)
        messages += [said for said in _out_of_range(table) if not any(said in message for message in messages)]
        faults += [f"{where}: {message}" for message in messages]
        return None
    if variant.stages and sum(stage.epochs for stage in variant.stages) != variant.epochs:
        faults.append(f"{where}: the stages hold {sum(s.epochs for s in variant.stages)} epochs, not {variant.epochs}")
        return None
    done[name] = variant
    return variant


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
                yield _describe(problem, None)


def _messages(problem: Exception) -> list[str]:
    """One sentence a mistake, with the key it is at."""
    messages = []
    for message in cattrs.transform_error(problem, path="", format_exception=_describe):
        what, _, path = message.rpartition(" @ ")
        messages.append(f"{path.lstrip('.')}: {what}" if path.strip(".") else what)
    return messages


def _describe(problem: BaseException, kind: type | None) -> str:
    if isinstance(problem, cattrs.ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(problem.cl)]
        guesses = {key: nearest(key, known) for key in sorted(problem.extra_fields)}
        return "; ".join(
            f"unknown key '{key}'" + (f", did you mean '{guess}'?" if guess else "") for key, guess in guesses.items()
        )
    if isinstance(problem, KeyError):
        return f"the key {problem.args[0]!r} is missing"
    return str(problem.args[0]) if problem.args else str(problem)


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
