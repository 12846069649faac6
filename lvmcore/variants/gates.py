"""Gates and the conditions that they can set, as they are written in registry.toml."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import attrs

CHEATS = "beats cheats"
_VALUE = re.compile(r"(?P<sign>>=|<=)\s*(?P<threshold>[-+]?\d+(?:\.\d+)?)")
_INTERVAL = re.compile(r"interval (?P<negation>not )?(?P<sign>[<>])\s*(?P<threshold>[-+]?\d+(?:\.\d+)?)")
ROUNDING = 1e-6
"""Nearer than this, two cosines differ by rounding alone."""
FORMS = '">= 0.02", "<= 0.05", "interval > 0", "interval < 0", "interval not < 0" or "beats cheats"'


@attrs.frozen
class Rule:
    """`>= x` and `<= x` look at the value; `interval > x` wants all of the interval beyond x."""

    text: str
    sign: str
    threshold: float = 0.0
    interval: bool = False
    negated: bool = False

    @property
    def cheats(self) -> bool:
        """Whether it asks for a comparison with every cheat."""
        return self.sign == CHEATS

    def holds(self, value: float, low: float | None, high: float | None) -> bool | None:
        """Whether a figure keeps the rule; None where it has no interval and the rule needs one."""
        if not self.interval:
            return value >= self.threshold if self.sign == ">=" else value <= self.threshold
        if low is None or high is None:
            return None
        beyond = low > self.threshold + ROUNDING if self.sign == ">" else high < self.threshold - ROUNDING
        return beyond is not self.negated


def parse_rule(text: str) -> Rule:
    """Read a condition.

    Raises:
        ValueError: where it has none of the known forms.
    """
    text = text.strip()
    if text == CHEATS:
        return Rule(text, CHEATS)
    if match := _VALUE.fullmatch(text):
        return Rule(text, match["sign"], float(match["threshold"]))
    if match := _INTERVAL.fullmatch(text):
        return Rule(text, match["sign"], float(match["threshold"]), True, bool(match["negation"]))
    raise ValueError(f"'{text}' is no condition")


@attrs.frozen
class Gate:
    """One condition of a profile: `A`'s figure `margin` of split `val` must be `>= 0.12`."""

    letter: str
    figure: str
    split: str
    """val, ood, or both for a figure that compares the two"""
    rule: Rule

    @property
    def key(self) -> str:
        """`A.margin`"""
        return f"{self.letter}.{self.figure}"


def by_figure(conditions: Iterable[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The conditions of an evaluation's gates: `A.margin` → split → condition."""
    grouped: dict[str, dict[str, dict[str, Any]]] = {}
    for one in conditions:
        grouped.setdefault(f"{one['letter']}.{one['figure']}", {})[one["split"]] = one
    return grouped
