"""Whether what a variant names is there: components, their options, gate profiles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from lvmcore.catalogue import Catalogue
from lvmcore.errors import LvmError
from lvmcore.expression import parse, parse_one
from lvmcore.objective import Objective
from lvmcore.registry import Registry
from lvmcore.scheduled import Schedule
from lvmcore.variants import Variant


def mistakes(
    variant: Variant, registry: Registry, catalogue: Catalogue, without: Collection[str] = ()
) -> Iterator[LvmError]:
    """What is wrong with a variant's expressions, each with the file and the key that it stands at.

    Args:
        without: keys that are not looked at, since the command line has set them.
    """

    def terms(kind: str, text: str, schedule: frozenset[str] = frozenset()) -> None:
        for term in parse(text).terms:
            registry.make(kind, term, without=schedule)

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
                yield problem
