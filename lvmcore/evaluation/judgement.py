"""Gate profiles applied to what was measured: which letters pass, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from lvmcore.errors import LvmError, unknown
from lvmcore.evaluation.figures import Declared
from lvmcore.evaluation.reasons import is_moot, paired, reasons, unbeaten
from lvmcore.variants.gates import Gate


@attrs.frozen
class Condition:
    """One gate and what came of it."""

    letter: str
    figure: str
    split: str
    condition: str
    value: float | None
    holds: bool | None
    """None where it can't be measured."""


@attrs.frozen
class Judgement:
    """Which letters of a profile passed, and why those that did not, did not."""

    profile: str
    letters: dict[str, bool | None]
    """None where a letter can't be measured; that counts as not passed."""
    why: dict[str, str]
    conditions: tuple[Condition, ...]

    @property
    def passed(self) -> int:
        return sum(outcome is True for outcome in self.letters.values())

    def document(self) -> dict[str, Any]:
        return {
            "profile": self.profile,
            **self.letters,
            "passed": self.passed,
            "of": len(self.letters),
            "why": self.why,
            "conditions": [attrs.asdict(condition) for condition in self.conditions],
        }


def unknown_figures(
    name: str, profile: Iterable[Gate], declared: Mapping[str, Declared], absent: str = ""
) -> list[LvmError]:
    """What is wrong with the figures that a profile is about, before an evaluation is spent on it: every mistake.

    Args:
        declared: every figure of an evaluation by its key.
        absent: which plugins may own a letter that nobody has, for the errors.
    """
    found: dict[str, LvmError] = {}
    letters = {one.letter for one in declared.values()}
    for gate in profile:
        where = f"gates.{name}.{gate.key}"
        one = declared.get(gate.key)
        if gate.letter not in letters:
            problem = unknown("test", gate.letter, letters, where=where, fix=f"lvm list checks{absent}")
        elif one is None:
            own = [held.figure.name for held in declared.values() if held.letter == gate.letter]
            problem = unknown("figure", gate.figure, own, where=where, fix="see docs/variants.md")
        elif gate.rule.cheats and not one.figure.compared:
            compared = ", ".join(key for key, held in declared.items() if held.figure.compared)
            problem = LvmError("'beats cheats' is not measured for this figure", where=where, expected=compared)
        elif (one.figure.aggregate == "spread") is not (gate.split == "both"):
            problem = (
                LvmError("the figure is one of each split", where=where, expected="{ val = …, ood = … }")
                if gate.split == "both"
                else LvmError(
                    f"{gate.key} compares the two splits, and is none of {gate.split}",
                    where=where,
                    expected="{ both = … }",
                )
            )
        else:
            continue
        found.setdefault(f"{gate.key} {problem.what}", problem)
    return list(found.values())


def judge(
    name: str, profile: Iterable[Gate], measured: Mapping[str, Any], declared: Mapping[str, Declared]
) -> Judgement:
    """Hold a profile against a measured document, with its differences from the cheats."""
    conditions = tuple(_condition(gate, measured, declared) for gate in profile)
    told = [attrs.asdict(one) for one in conditions]
    outcomes: dict[str, list[bool | None]] = {one.letter: [] for one in conditions}
    for one in told:
        if not is_moot(one, measured, declared):
            outcomes[one["letter"]].append(one["holds"])
    letters = {
        letter: False if False in held else None if None in held or not held else True
        for letter, held in outcomes.items()
    }
    why: dict[str, list[str]] = {}
    for reason in reasons(told, measured, declared):
        why.setdefault(reason.letter, []).append(str(reason))
    said = {
        letter: "; ".join(why.get(letter, ["nothing to measure"]))
        for letter, outcome in letters.items()
        if outcome is not True
    }
    return Judgement(name, letters, said, conditions)


def _condition(gate: Gate, measured: Mapping[str, Any], declared: Mapping[str, Declared]) -> Condition:
    """What comes of a gate."""
    one, splits = declared.get(gate.key), measured["splits"]
    figure = one.find(measured, gate.split) if one and (gate.split == "both" or gate.split in splits) else None
    value, holds = figure["value"] if figure else None, None
    if gate.rule.cheats:
        found = paired(measured, gate.split, gate.key)
        if found and all(one and one["low"] is not None for one in found.values()):
            holds = not unbeaten(measured, gate.split, gate.key)
    elif figure and value is not None:
        holds = gate.rule.holds(value, figure["low"], figure["high"])
    return Condition(gate.letter, gate.figure, gate.split, gate.rule.text, value, holds)
