"""registry.toml → Variant, Stage and gate profiles, every mistake in a file reported at once."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import cattrs
from attrs.validators import ge, gt, in_, instance_of, le, lt, matches_re, optional

from lvmcore.errors import LvmError, nearest, unknown
from lvmcore.rules import FORMS, Rule, parse_rule

BASE = "base"
"""The variant that holds the common settings; every other extends it unless it names another."""

BEST = {"val_loss": False, "val_cos": True, "margin": True, "r1": True, "r5": True}
"""What the best weights can be chosen by → whether higher is better."""


@attrs.frozen(kw_only=True)
class Stage:
    """A part of a run. What it leaves out is the variant's; it may change nothing that alters a tensor's shape.

    Only the learning rate's course goes on from stage to stage, until one names a `schedule` or an `lr`.
    """

    name: str
    epochs: int = attrs.field(validator=[instance_of(int), ge(1)])
    gates: str | None = None
    """The profile that must pass for the run to go on."""
    arch: str | None = None
    loss: str | None = None
    inputs: str | None = None
    sampler: str | None = None
    schedule: str | None = None
    batch_size: int | None = attrs.field(default=None, validator=optional(ge(1)))
    lr: float | None = attrs.field(default=None, validator=optional([gt(0), lt(math.inf)]))  # pyright: ignore


STAGED = ("arch", "loss", "inputs", "sampler", "batch_size")
"""What a stage has from its variant where it says nothing."""


@attrs.frozen(kw_only=True)
class SettledStage:
    """A stage with what it leaves out; without schedule and learning rate where these go on."""

    name: str
    epochs: int
    gates: str | None = None
    arch: str
    loss: str
    inputs: str
    sampler: str
    batch_size: int
    schedule: str | None = None
    lr: float | None = None

    @property
    def recipe(self) -> tuple[str, str]:
        """What a model is built from."""
        return self.arch, self.inputs


MEASURED_BY = ("5cat", "5cat-2025", "training diagnostic")
"""What figures can be reported by; those of different protocols are never ranked together."""

_figure = optional([ge(-2), le(2)])  # pyright: ignore


@attrs.frozen
class Figure:
    """A figure of each split, where it is known. A number alone in TOML is that of VAL."""

    val: float | None = attrs.field(default=None, validator=_figure)
    ood: float | None = attrs.field(default=None, validator=_figure)


@attrs.frozen(kw_only=True)
class Reported:
    """The figures that were published for a variant, and how they were measured. Ratios, not per cent."""

    protocol: str = attrs.field(validator=in_(MEASURED_BY))
    val_cos: float | None = attrs.field(default=None, validator=_figure)
    margin: Figure | None = None
    """Test A; of a training diagnostic, cos(p, target) − cos(p, last row)."""
    r1: Figure | None = None
    r5: Figure | None = None
    d: Figure | None = None
    """Test D, the rollout."""
    gates: str | None = attrs.field(default=None, validator=optional(matches_re(r"\d+/\d+")))
    """How many passed, of how many: `2/5`."""
    note: str = ""


@attrs.frozen(kw_only=True)
class Variant:
    """An architecture, a loss, inputs, a sampler and training settings, under a name."""

    name: str
    arch: str
    loss: str
    inputs: str
    sampler: str
    schedule: str
    data: str
    epochs: int = attrs.field(validator=[instance_of(int), ge(1)])
    batch_size: int = attrs.field(validator=[instance_of(int), ge(1)])
    lr: float = attrs.field(validator=[gt(0), lt(math.inf)])
    weight_decay: float = attrs.field(validator=ge(0))
    clip: float = attrs.field(validator=gt(0))
    best: str = attrs.field(validator=in_(tuple(BEST)))
    gates: str
    stages: tuple[Stage, ...] = ()
    title: str = ""
    approach: str = ""
    date: str = ""
    source: str = ""
    reported: Reported | None = None

    @property
    def plan(self) -> tuple[SettledStage, ...]:
        """The stages with what they leave out; one that covers all epochs where none are named."""
        stages = self.stages or (Stage(name="all", epochs=self.epochs),)
        return tuple(self._settled(stage, first=number == 0) for number, stage in enumerate(stages))

    def _settled(self, stage: Stage, first: bool) -> SettledStage:
        given = attrs.asdict(stage, filter=lambda field, value: value is not None)
        shared = {key: getattr(self, key) for key in STAGED}
        course = {"schedule": self.schedule, "lr": self.lr} if first or stage.schedule or stage.lr else {}
        return SettledStage(**(shared | course | given))

    def override(self, settings: Mapping[str, Any]) -> Variant:
        """The same variant with settings from the command line; `epochs` scales the stages in proportion."""
        changed = {key: value for key, value in settings.items() if value is not None}
        try:
            variant = attrs.evolve(self, **changed)
        except (ValueError, TypeError) as problem:
            raise LvmError(str(problem.args[0]), where="the command line") from None
        if self.stages and variant.epochs != self.epochs:
            variant = attrs.evolve(variant, stages=_scaled(self.stages, variant.epochs))
        return variant


def _scaled(stages: tuple[Stage, ...], epochs: int) -> tuple[Stage, ...]:
    """Stages of about the same proportions that sum to `epochs`; one that shrinks to nothing is dropped."""
    total = sum(stage.epochs for stage in stages)
    ends = [round(sum(stage.epochs for stage in stages[: i + 1]) * epochs / total) for i in range(len(stages))]
    lengths = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return tuple(attrs.evolve(stage, epochs=length) for stage, length in zip(stages, lengths, strict=True) if length)


@attrs.frozen
class Gate:
    """One condition of a profile: `A`'s figure `margin` of split `val` must be `>= 0.12`."""

    letter: str
    figure: str
    split: str
    """val, ood, or both for a figure that compares the two"""
    rule: Rule


@attrs.define
class Catalogue:
    """All variants and gate profiles that are known, with the file each came from."""

    variants: dict[str, Variant] = attrs.field(factory=dict)
    profiles: dict[str, tuple[Gate, ...]] = attrs.field(factory=dict)
    origins: dict[tuple[str, str], str] = attrs.field(factory=dict)

    def variant(self, name: str) -> Variant:
        if name not in self.variants:
            raise unknown("variant", name, self.variants, where=None, fix="lvm list variants")
        return self.variants[name]

    def profile(self, name: str) -> tuple[Gate, ...]:
        if name not in self.profiles:
            raise unknown("gate profile", name, self.profiles, where="--gates", fix="lvm list gates")
        return self.profiles[name]


def default_files() -> list[Path]:
    """The project's own registry.toml: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).parent
    inside = package / "registry.toml"
    return [inside if inside.is_file() else package.parent / "registry.toml"]


def load_catalogue(files: Iterable[Path]) -> Catalogue:
    """Read TOML files in order; a variant that replaces another replaces it for all that extend it.

    Raises:
        LvmError: with every mistake of a file at once; for a name met twice without `replace = true`.
    """
    catalogue = Catalogue()
    raw: dict[str, dict[str, Any]] = {}
    faults: dict[str, list[str]] = {}
    for file in dict.fromkeys(path.resolve() for path in files):
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
