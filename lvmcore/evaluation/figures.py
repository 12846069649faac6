"""Figures: what each is called, what it is, how it is aggregated and printed. Declared once, where it is measured.

Tables, columns, gates, intervals, paired comparisons and the documentation follow from the declaration. Needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import attrs
import numpy as np

NONE = "–"
"""What stands where nothing was measured."""

Columns = dict[str, np.ndarray]
"""Per-window values by name, such as `A/offsets/+1` or `C/shuffle`: (W,) float32, NaN where not measurable."""

ANY, COSINE, RATE = (-math.inf, math.inf), (-1.0, 1.0), (0.0, 1.0)
"""The ranges that figures can have."""

BETTER = ("higher", "lower", "")


@attrs.frozen
class Estimate:
    """What was measured of a figure: its value with the ends of its interval; None where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


@attrs.frozen
class Figure:
    """One figure of a check.

    Args:
        name: as gates write it, with dots where it stands deeper in the document: `margin`, `all.r1`.
        label: what tables call it; its name by default.
        help: what it is, in a sentence.
        aggregate: `mean` of the windows' values; `rate`, a mean that is printed in per cent; `share`, of the windows
            whose value is above 0; `spread`, how far the mean of another figure, `of`, is apart on VAL and OOD.
        range: what values it can have; intervals are cut to it.
        better: `higher` or `lower` where one is; nothing where neither is, so that it is neither paired nor ranked.
        compared: whether a model is held against the cheats in it, window by window, which `beats cheats` needs.
        signed: printed with its sign, as a difference is.
        aside: it explains others, and stands with those of the same words in one faint line of a table.
        hidden: it stands in the document alone.
        headline: its rank among the figures that are shown of every yardstick, 1 the first; 0 where it is none. Where
            there is no room, the last go.
        key: what the comparison and the records of the epochs call it; these are the columns of `lvm compare`.
        place: where it stands in a split's table, where that is not below the letter of its check.
        derive: makes its column of all others, when every window of a split is measured.
    """

    name: str
    label: str = attrs.field(default=attrs.Factory(lambda self: self.name.replace("_", " "), takes_self=True))
    help: str = attrs.field(default="", kw_only=True)
    aggregate: Literal["mean", "rate", "share", "spread"] = attrs.field(default="mean", kw_only=True)
    range: tuple[float, float] = attrs.field(
        default=attrs.Factory(lambda self: ANY if self.aggregate in ("mean", "spread") else RATE, takes_self=True),
        kw_only=True,
    )
    better: str = attrs.field(default="", validator=attrs.validators.in_(BETTER), kw_only=True)
    compared: bool = attrs.field(default=False, kw_only=True)
    signed: bool = attrs.field(default=False, kw_only=True)
    aside: str = attrs.field(default="", kw_only=True)
    hidden: bool = attrs.field(default=False, kw_only=True)
    headline: int = attrs.field(default=0, kw_only=True)
    key: str = attrs.field(default="", kw_only=True)
    of: str = attrs.field(default="", kw_only=True)
    place: str = attrs.field(default="", kw_only=True)
    derive: Callable[[Columns], np.ndarray] | None = attrs.field(default=None, kw_only=True)

    @property
    def is_rate(self) -> bool:
        """Whether it is printed in per cent."""
        return self.aggregate in ("rate", "share")

    def text(self, value: float | None, digits: int = 3) -> str:
        """A value of it as it is printed."""
        if self.is_rate:
            return rate(value)
        return signed(value, digits) if self.signed else plain(value, digits)

    def interval(self, found: Mapping[str, Any] | None) -> str:
        """`-0.061 [-0.064, -0.058]`: what a document holds of it, as it is printed."""
        if found is None or found["low"] is None:
            return self.text(found["value"] if found else None)
        return f"{self.text(found['value'])} [{self.text(found['low'])}, {self.text(found['high'])}]"


@attrs.frozen
class Count:
    """A whole number beside the figures of a check.

    Args:
        name: as a figure's.
        of: the column that it counts; none: the number is not taken, and stands as null.
        what: `windows` that have the column, those `above 0`, or the `articles without` it.
        aside: as a figure's.
    """

    name: str
    of: str = ""
    what: Literal["windows", "above 0", "articles without"] = "windows"
    aside: str = ""
    label: str = ""
    """What is said of it in the line below the table; nothing where it is not worth it."""


@attrs.frozen
class Declared:
    """A figure and the check that it is one of."""

    letter: str
    figure: Figure

    @property
    def key(self) -> str:
        """`A.margin`: what gates, columns and differences call it."""
        return f"{self.letter}.{self.figure.name}"

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands in the table of a split; of a spread, in the whole document."""
        if self.figure.aggregate == "spread":
            return (f"{self.letter}_{self.figure.name}",)
        return (self.figure.place,) if self.figure.place else (self.letter, *self.figure.name.split("."))

    @property
    def column(self) -> str:
        """The name of its per-window values."""
        return "/".join(self.path)

    def find(self, evaluation: Mapping[str, Any], split: str) -> dict[str, Any] | None:
        """What a document holds of it; None where it holds nothing."""
        whole = self.figure.aggregate == "spread"
        node: Any = evaluation if whole else evaluation.get("splits", {}).get(split)
        for part in self.path:
            if isinstance(node, list):
                node = node[int(part) - 1] if int(part) <= len(node) else None
            else:
                node = node.get(part) if isinstance(node, Mapping) else None
        return node if isinstance(node, dict) and "value" in node else None

    def value(self, evaluation: Mapping[str, Any], split: str) -> float | None:
        """Its value in a document."""
        found = self.find(evaluation, split)
        return found["value"] if found else None


def values(document: Any) -> Any:
    """A nested document in which `{"value": …, "low": …, "high": …}` tables became their value."""
    if isinstance(document, Mapping):
        if set(document) == {"value", "low", "high"}:
            return document["value"]
        return {key: values(item) for key, item in document.items()}
    return document


def estimates(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Estimate]]:
    """Every figure of a document below a path: `A.margin` → its estimate."""
    if isinstance(node, Mapping):
        if set(node) == {"value", "low", "high"}:
            yield ".".join(path), Estimate(**node)
            return
        for key, item in node.items():
            yield from estimates(item, (*path, key))
    elif isinstance(node, list):
        for number, item in enumerate(node, 1):
            yield from estimates(item, (*path, str(number)))


def plain(value: float | None, digits: int = 3) -> str:
    return NONE if value is None else f"{_rounded(value, digits):.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    return NONE if value is None else f"{_rounded(value, digits):+.{digits}f}"


def rate(value: float | None) -> str:
    return NONE if value is None else f"{value:.1%}"


def apart(value: float, threshold: float) -> str:
    """A value with enough digits that it differs from its threshold: 0.5998, not 0.600, beside 0.60."""
    digits = next((d for d in range(3, 10) if value == threshold or plain(value, d) != plain(threshold, d)), 10)
    return plain(value, digits)


def _rounded(value: float, digits: int) -> float:
    return round(value, digits) + 0.0  # −0.0 + 0.0 is 0.0
