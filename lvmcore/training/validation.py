"""Whether what a variant names is there and fits, and all of it made: once, before a run or a check.

A plan is a variant with settings of one's own, so resolved before anything is written or trained.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any

import attrs
import torch

from lvmcore.errors import LvmError, unknown
from lvmcore.evaluation.checks import best_by
from lvmcore.expression import parse, parse_one
from lvmcore.model import build_model, rebuilt
from lvmcore.registry import Registry
from lvmcore.timing import Timing
from lvmcore.training.objective import Objective
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.published import DIAGNOSTIC
from lvmcore.variants.variant import SettledStage, Variant

DIM = 16
"""The width of the small models that are built to see whether they can be."""


@attrs.frozen(eq=False)
class ResolvedStage:
    """A stage with the components that it names."""

    stage: SettledStage
    objective: Objective
    inputs: dict[str, Timing]
    """When each input acts, by label."""
    sampler: Any
    schedule: Any
    """None where that of the stage before goes on."""

    def acting(self, epoch: int) -> dict[str, bool]:
        """Which losses and inputs act at an epoch."""
        losses = {term.label: term.timing.strength(epoch) > 0 for term in self.objective.terms}
        return losses | {label: timing.factor(epoch) > 0 for label, timing in self.inputs.items()}


@attrs.frozen(eq=False)
class Resolved:
    """A variant with all that it names made, or what is wrong with it."""

    stages: tuple[ResolvedStage, ...] = ()
    mistakes: tuple[LvmError, ...] = ()

    @property
    def idle(self) -> list[str]:
        """Losses and inputs that act in no epoch, as where `--epochs` ends the run before they start."""
        acts: dict[str, bool] = {}
        epoch = 0
        for one in self.stages:
            for _ in range(one.stage.epochs):
                epoch += 1
                for label, acting in one.acting(epoch).items():
                    acts[label] = acts.get(label, False) or acting
        return [label for label, acting in acts.items() if not acting]


def resolve(variant: Variant, registry: Registry, catalogue: Catalogue, changed: Collection[str] = ()) -> Resolved:
    """Make what every stage of a variant names, each thing once; mistakes are told with their file and key.

    Args:
        changed: keys that the command line has set: their mistakes are told without a file.
    """

    @cache
    def made(key: str, text: str) -> Any:
        return _MAKERS[key](text, registry)

    file = catalogue.origins.get(("variants", variant.name), "")
    place = f"variants.{variant.name}"
    mistakes: list[LvmError] = []
    told: set[tuple[str, str]] = set()
    for where, part in [(place, variant), *((f"{place}.stages.{stage.name}", stage) for stage in variant.stages)]:
        for key in (*_MAKERS, "gates"):
            text = getattr(part, key, None)
            if text is None or (key, text) in told:
                continue
            try:
                catalogue.profile(text) if key == "gates" else made(key, text)
            except LvmError as problem:
                told.add((key, text))
                if not (part is variant and key in changed):
                    problem.where = f"{where}.{key}, '{text}'" + (f", in {file}" if file else "")
                mistakes.append(problem)
    if variant.best not in (known := best_by(registry)):
        where = f"{place}.best" + (f", in {file}" if file else "")
        mistakes.append(unknown("figure to choose the best weights by", variant.best, known, where=where, fix=None))
    if mistakes:
        return Resolved(mistakes=tuple(mistakes))
    return Resolved(
        tuple(
            ResolvedStage(
                stage,
                made("loss", stage.loss),
                made("inputs", stage.inputs),
                made("sampler", stage.sampler),
                made("schedule", stage.schedule) if stage.schedule else None,
            )
            for stage in variant.plan
        )
    )


@attrs.frozen(eq=False)
class Plan:
    """What is to be carried out."""

    variant: Variant
    resolved: Resolved
    changed: dict[str, Any]
    """What was asked for beside the variant, and differs from it."""
    notes: tuple[str, ...]
    """What one may not have meant."""


def plan(named: Variant, settings: Mapping[str, Any], registry: Registry, catalogue: Catalogue) -> Plan:
    """Override a variant's settings, and make what it names.

    Args:
        settings: by the keys of a variant; None leaves one as it is.

    Raises:
        LvmError: an unknown name, an option out of range, or a setting that is none.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    chosen = named.override(given)
    resolved = resolve(chosen, registry, catalogue, changed=given)
    for mistake in resolved.mistakes:
        raise mistake
    changed = {key: value for key, value in given.items() if value != getattr(named, key)}
    return Plan(chosen, resolved, changed, tuple(_notes(named, chosen, given, resolved.idle)))


def _notes(named: Variant, chosen: Variant, given: Mapping[str, Any], idle: list[str]) -> Iterator[str]:
    """What the settings have done to a variant that one may not have meant."""
    overridden = [
        key for key in given if key != "epochs" and any(getattr(one, key, None) is not None for one in chosen.stages)
    ]
    if overridden:
        yield f"stages set their own {', '.join(overridden)}; the option acts where they don't"
    if dropped := [stage.name for stage in named.stages if stage.name not in {one.name for one in chosen.stages}]:
        yield f"no epoch is left for stage {', '.join(dropped)}"
    if idle:
        yield f"in {chosen.epochs} epoch{'s' * (chosen.epochs != 1)} these never act: {', '.join(idle)}"


def mistakes(variant: Variant, registry: Registry, catalogue: Catalogue) -> Iterator[LvmError]:
    """What is wrong with a variant, each with the file and the key that it stands at.

    Names and options first; where these are right, whether its models can be built, small and without memory, and
    whether a loss acts in every epoch.
    """
    resolved = resolve(variant, registry, catalogue)
    yield from resolved.mistakes
    if variant.reported and variant.reported.protocol != DIAGNOSTIC:
        try:
            registry.find("protocol", parse_one(variant.reported.protocol))
        except LvmError as problem:
            problem.where = f"variants.{variant.name}.reported.protocol"
            problem.expected = f"{problem.expected}, {DIAGNOSTIC}"
            yield problem
    try:
        _build(variant, resolved, registry)
    except (RuntimeError, NotImplementedError):  # a plugin's architecture that needs memory to be built is not tried
        return
    except LvmError as problem:
        file = catalogue.origins.get(("variants", variant.name), "")
        parts = (f"variants.{variant.name}", problem.where or "", f"in {file}" if file else "")
        problem.where = ", ".join(filter(None, parts))
        yield problem


def _build(variant: Variant, resolved: Resolved, registry: Registry) -> None:
    """Build the models of all stages, and ask each stage's loss for its terms."""
    epoch, model = 0, None
    for one in resolved.stages:
        arch, inputs = one.stage.recipe
        with torch.device("meta"):
            if model is None:
                model = build_model(arch, inputs, DIM, variant.context, registry, "toy")
            else:
                model = rebuilt(model, arch, inputs, registry, "toy")
        for _ in range(one.stage.epochs):
            one.objective.active(epoch := epoch + 1)


def _inputs(text: str, registry: Registry) -> dict[str, Timing]:
    expression = parse(text)
    made = [registry.resolve("input", term) for term in expression.terms]
    return {label: one.shared for label, one in zip(expression.labels, made, strict=True)}


_MAKERS: dict[str, Callable[[str, Registry], Any]] = {
    "arch": lambda text, registry: [registry.resolve("architecture", term) for term in parse(text).terms],
    "loss": Objective.of,
    "inputs": _inputs,
    "sampler": lambda text, registry: registry.make("sampler", parse_one(text)),
    "schedule": lambda text, registry: registry.make("schedule", parse_one(text)),
    "optimizer": lambda text, registry: registry.make("optimizer", parse_one(text)),
}
"""Key of a variant → what makes what its text names."""
