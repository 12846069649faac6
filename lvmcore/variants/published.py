"""The figures that were published for a variant."""

from __future__ import annotations

import attrs
from attrs.validators import ge, in_, le, matches_re, optional

DIAGNOSTIC = "training diagnostic"
"""Its margin is cos(p, target) − cos(p, last row), which 5CAT calls `margin_last`."""
MEASURED_BY = ("5cat", "5cat-2025", DIAGNOSTIC)
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
