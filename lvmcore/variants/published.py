"""The figures that were published for a variant."""

from __future__ import annotations

from typing import Any

import attrs
from attrs.validators import ge, le, matches_re, min_len, optional

DIAGNOSTIC = "training diagnostic"
"""Its margin is cos(p, target) − cos(p, last row), which 5CAT calls `margin_last`."""
_figure = optional([ge(-2), le(2)])  # pyright: ignore


@attrs.frozen
class BySplit:
    """A figure of each split, where it is known. A number alone in TOML is that of VAL."""

    val: float | None = attrs.field(default=None, validator=_figure)
    ood: float | None = attrs.field(default=None, validator=_figure)


def _of(figure: str, **more: Any) -> Any:
    """A field for the published values of a figure of the evaluation."""
    return attrs.field(default=None, metadata={"figure": figure}, **more)


@attrs.frozen(kw_only=True)
class Reported:
    """The figures that were published for a variant, and how they were measured. Ratios, not per cent."""

    protocol: str = attrs.field(validator=min_len(1))
    """That of an evaluation, or a training diagnostic; figures of different protocols are never ranked together."""
    val_cos: float | None = _of("A.cosine", validator=_figure)
    margin: BySplit | None = _of("A.margin")
    """Test A; of a training diagnostic, cos(p, target) − cos(p, last row)."""
    r1: BySplit | None = _of("B.all.r1")
    r5: BySplit | None = _of("B.all.r5")
    d: BySplit | None = _of("D.score")
    """Test D, the rollout."""
    gates: str | None = attrs.field(default=None, validator=optional(matches_re(r"\d+/\d+")))
    """How many passed, of how many: `2/5`."""
    note: str = ""

    def figures(self) -> dict[str, BySplit]:
        """What was published, by the key of the figure: `A.margin`."""
        found: dict[str, BySplit] = {}
        for field in attrs.fields(Reported):
            value = getattr(self, field.name)
            if (key := field.metadata.get("figure")) and value is not None:
                diagnostic = field.name == "margin" and self.protocol == DIAGNOSTIC
                found["A.margin_last" if diagnostic else key] = value if isinstance(value, BySplit) else BySplit(value)
        return {key: one for key, one in found.items() if (one.val, one.ood) != (None, None)}
