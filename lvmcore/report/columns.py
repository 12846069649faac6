"""The columns of the comparison: any figure of an evaluation; by default those that have a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from lvmcore.errors import LvmError, unknown
from lvmcore.evaluation.checks import Check, checks_of, declared_of
from lvmcore.evaluation.figures import Declared, Figure, estimates
from lvmcore.evaluation.protocols import DEFAULT, protocol_of
from lvmcore.registry import Registry


@attrs.frozen
class Column:
    """A figure on VAL as a column: higher or lower is better, or neither."""

    declared: Declared

    @property
    def key(self) -> str:
        """What records call it: `val_cos`, or `A.direction` of a figure without a key of its own."""
        return self.declared.figure.key or self.declared.key

    @property
    def figure(self) -> Figure:
        return self.declared.figure

    @property
    def head(self) -> str:
        return self.figure.label


def declared_in(evaluation: Mapping[str, Any], registry: Registry) -> dict[str, Declared]:
    """Every figure that a document holds; what nothing here declares, as it stands there."""
    found = declared_of(checks_in(evaluation, registry))
    for table in evaluation.get("splits", {}).values():
        for letter, held in table.items():
            if len(letter) == 1 and not any(one.letter == letter for one in found.values()):
                names = [key for key, _ in estimates(held)]
                found |= {f"{letter}.{name}": Declared(letter, Figure(name)) for name in names}
    return found


def columns_named(names: str, registry: Registry) -> tuple[Column, ...]:
    """The columns of an expression, such as `val_cos,A.direction,F.outside`; the default ones of an empty one.

    Raises:
        LvmError: a figure that there is none of.
    """
    known = declared_in({}, registry)
    if not names.strip():
        return tuple(Column(one) for one in known.values() if one.figure.key)
    by_key = {one.figure.key: one for one in known.values() if one.figure.key}
    found = []
    for name in (name.strip() for name in names.split(",")):
        one = by_key.get(name) or known.get(name)
        if one is None:
            fix = f"lvm list figures{registry.plugins.absent()}"
            raise unknown("figure", name, [*by_key, *known], where="--columns", fix=fix)
        found.append(Column(one))
    return tuple(dict.fromkeys(found))


def checks_in(evaluation: Mapping[str, Any], registry: Registry) -> list[Check]:
    """The tests of a document, as far as they are installed."""
    try:
        protocol = protocol_of(evaluation.get("protocol", DEFAULT), registry).protocol
    except LvmError:  # a protocol that is not installed
        protocol = protocol_of(DEFAULT, registry).protocol
    return checks_of(protocol, registry, evaluation.get("context") or 5)
