"""Whether what a variant names is there: components, their options, gate profiles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import torch

from lvmcore.errors import LvmError
from lvmcore.expression import parse, parse_one
from lvmcore.model import build_model, rebuilt
from lvmcore.registry import Registry
from lvmcore.timing import Schedule
from lvmcore.training.objective import Objective
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import Variant

CONTEXT, DIM = 5, 16
"""A small shape to build models for."""


def mistakes(
    variant: Variant, registry: Registry, catalogue: Catalogue, without: Collection[str] = ()
) -> Iterator[LvmError]:
    """What is wrong with a variant, each with the file and the key that it stands at.

    Names and options first; where these are right, whether its models can be built, and whether a loss acts in every
    epoch.

    Args:
        without: keys that are not looked at, since the command line has set them.
    """

    def terms(kind: str, text: str, schedule: frozenset[str] = frozenset()) -> None:
        for term in parse(text).terms:
            registry.make(kind, term, without=schedule)
            if schedule:
                Schedule.of(term)

    checks: dict[str, Callable[[str], object]] = {
        "arch": lambda text: terms("architecture", text),
        "loss": lambda text: Objective.of(text, registry),
        "inputs": lambda text: terms("input", text, Schedule.names()),
        "sampler": lambda text: registry.make("sampler", parse_one(text)),
        "schedule": lambda text: registry.make("schedule", parse_one(text)),
        "gates": catalogue.profile,
    }
    place = f"variants.{variant.name}"
    file = catalogue.origins.get(("variants", variant.name), "")
    named = False
    parts = [(place, variant), *((f"{place}.stages.{stage.name}", stage) for stage in variant.stages)]
    for where, part in parts:
        for key, check in checks.items():
            text = getattr(part, key)
            if not text or (part is variant and key in without):
                continue
            try:
                check(text)
            except LvmError as problem:
                problem.where = f"{where}.{key}, '{text}'" + (f", in {file}" if file else "")
                named = True
                yield problem
    if named or without:  # what the command line changed is told when it is built
        return
    try:
        _buildable(variant, registry)
    except (RuntimeError, NotImplementedError):  # a plugin's architecture that needs memory to be built is not tried
        return
    except LvmError as problem:
        problem.where = ", ".join(text for text in (place, problem.where or "", f"in {file}" if file else "") if text)
        yield problem


def idle(variant: Variant, registry: Registry) -> list[str]:
    """Losses and inputs that act in no epoch, as where `--epochs` ends the run before they start."""
    acting: dict[str, bool] = {}
    epoch = 0
    for stage in variant.plan:
        schedules = {term.label: term.schedule.strength for term in Objective.of(stage.loss, registry).terms}
        inputs = parse(stage.inputs)
        schedules |= {label: Schedule.of(term).factor for label, term in zip(inputs.labels, inputs.terms, strict=True)}
        epochs = range(epoch + 1, epoch + stage.epochs + 1)
        for label, strength in schedules.items():
            acting[label] = acting.get(label, False) or any(strength(number) > 0 for number in epochs)
        epoch += stage.epochs
    return [label for label, acts in acting.items() if not acts]


def _buildable(variant: Variant, registry: Registry) -> None:
    """Build the models of all stages, small and without memory, and ask each stage's loss for its terms."""
    epoch, model = 0, None
    for stage in variant.plan:
        with torch.device("meta"):
            if model is None:
                model = build_model(stage.arch, stage.inputs, DIM, CONTEXT, registry, "toy")
            else:
                model = rebuilt(model, stage.arch, stage.inputs, registry, "toy")
        objective = Objective.of(stage.loss, registry)
        for _ in range(stage.epochs):
            epoch += 1
            objective.active(epoch)
