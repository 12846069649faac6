"""Gate profiles applied to what was measured: which letters pass, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from lvmcore.errors import LvmError, unknown
from lvmcore.evaluation.figures import Declared, apart, signed
from lvmcore.variants.gates import ROUNDING, Gate

Outcome = tuple[bool | None, str]
"""Whether a gate holds (None: not measurable), and why it does not; no reason where it is about nothing."""


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
    letters: dict[str, bool | None] = {}
    why: dict[str, list[str]] = {}
    conditions = []
    for gate in profile:
        one = declared.get(gate.key)
        figure = one.find(measured, gate.split) if one else None
        holds, reason = _outcome(gate, one, figure, measured)
        value = figure["value"] if figure else None
        conditions.append(Condition(gate.letter, gate.figure, gate.split, gate.rule.text, value, holds))
        if not reason:  # about nothing, such as the gain in an empty bin
            letters.setdefault(gate.letter, None)
            continue
        if holds is not True:
            why.setdefault(gate.letter, []).append(reason)
        before = letters.get(gate.letter)
        bad = gate.letter in why
        letters[gate.letter] = False if False in (before, holds) else None if bad else True
    for letter in [letter for letter, outcome in letters.items() if outcome is None and letter not in why]:
        why[letter] = ["nothing to measure"]
    said = {letter: "; ".join(dict.fromkeys(reasons)) for letter, reasons in why.items()}
    return Judgement(name, letters, said, tuple(conditions))


def paired(evaluation: Mapping[str, Any], split: str, key: str) -> dict[str, dict[str, Any] | None]:
    """Each cheat with the model's paired difference from it in a figure; None where there is none."""
    return {cheat: found.get(key) for cheat, found in evaluation.get("differences", {}).get(split, {}).items()}


def unbeaten(evaluation: Mapping[str, Any], split: str, key: str) -> dict[str, dict[str, Any]]:
    """The cheats that are not beaten in a figure: the lower end of the paired difference is not above 0."""
    found = paired(evaluation, split, key).items()
    return {cheat: one for cheat, one in found if one and one["low"] is not None and one["low"] <= ROUNDING}


def _outcome(gate: Gate, one: Declared | None, figure: dict[str, Any] | None, measured: Mapping[str, Any]) -> Outcome:
    """What comes of a gate, given what was measured of its figure."""
    if gate.split != "both" and gate.split not in measured["splits"]:
        return None, f"{gate.split} was not evaluated"
    place = gate.figure.replace("offsets.", "s ")
    place = place if gate.split == "both" else f"{gate.split} {place}"
    if gate.rule.cheats:
        return _against_cheats(gate, place, measured)
    if figure is None or figure["value"] is None:
        if gate.rule.negated and one and _windows_beside(one, measured, gate.split) == 0:
            return None, ""
        return None, f"{place} is not measurable"
    holds = gate.rule.holds(figure["value"], figure["low"], figure["high"])
    return holds, f"{place} {_contrast(gate, figure)}" if holds is not None else f"{place} has no interval"


def _windows_beside(one: Declared, measured: Mapping[str, Any], split: str) -> int | None:
    """How many windows the table that a figure stands in is about, where it says so."""
    node = measured["splits"][split]
    for part in one.path[:-1]:
        node = (node or {}).get(part)
    return (node or {}).get("windows")


def _against_cheats(gate: Gate, place: str, measured: Mapping[str, Any]) -> Outcome:
    """Beats every cheat: the lower end of each paired difference lies above 0."""
    figures = paired(measured, gate.split, gate.key)
    if not figures or any(figure is None or figure["low"] is None for figure in figures.values()):
        return None, f"{place} has no paired interval"
    lacking = unbeaten(measured, gate.split, gate.key)
    said = ", ".join(f"{cheat} ({signed(figure['value'])})" for cheat, figure in lacking.items())
    return not lacking, f"{place} does not beat {said}"


def _contrast(gate: Gate, figure: Mapping[str, float]) -> str:
    """`-0.070 < 0.12`, with enough digits that the two numbers differ."""
    rule, value = gate.rule, figure["value"]
    if rule.interval:
        return f"{signed(value)} [{signed(figure['low'])}, {signed(figure['high'])}], not '{rule.text}'"
    return f"{apart(value, rule.threshold)} {'<' if rule.sign == '>=' else '>'} {rule.threshold:g}"
