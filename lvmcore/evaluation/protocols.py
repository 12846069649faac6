"""What a protocol is: which tests, with or without intervals, on which windows. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from lvmcore.components import write
from lvmcore.expression import Term, parse_one
from lvmcore.registry import Registry

DEFAULT = "5cat"
"""The protocol that this project stands for."""


@attrs.frozen(kw_only=True, eq=False)
class Protocol:
    """How figures are measured."""

    tests: Sequence[Any]
    """Made components of the shape that checks have, in the order of the document."""
    resamples: int = 0
    """Of the bootstrap; 0: figures without intervals."""
    seed: int = 0
    """Of the resampling and of what tests draw."""
    level: float = 0.95
    extended: bool = True
    """Whether gain and direction, the checks of plugins, and `causal` are measured beside the tests."""
    spread: bool = True
    """Whether a limited number of windows is spread over the split; else it is the first that each test can measure."""
    ahead: int = 0
    """Rows after the target that the furthest test reads; asked for where a limit is not spread."""


@attrs.frozen(eq=False)
class NamedProtocol:
    """A protocol under the name that its figures are known by."""

    name: str
    """The protocol's, and the options that differ from their defaults: `5cat,resamples=2000`."""
    protocol: Protocol


def protocol_of(text: str, registry: Registry) -> NamedProtocol:
    """The protocol that an expression describes.

    Raises:
        LvmError: unknown, or an option out of range.
    """
    term = parse_one(text)
    made = registry.resolve("protocol", term)
    fields = attrs.fields(type(made.component))
    changed = {f.name: getattr(made.component, f.name) for f in fields if getattr(made.component, f.name) != f.default}
    given = {name: write(value) for name, value in changed.items()}
    name = registry.key(made.registered)
    dist, _, bare = name.rpartition("/")
    return NamedProtocol(str(Term(bare, None, given, dist or None)), made.component.build())
