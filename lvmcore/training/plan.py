"""A variant as it will be carried out: with settings of one's own, resolved before anything is written or trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from lvmcore.registry import Registry
from lvmcore.training.validation import Resolved, resolve
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import Variant


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
