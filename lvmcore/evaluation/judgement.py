"""Gate profiles applied to a result: which letters pass, and why the others do not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, get_type_hints

from lvmcore.errors import LvmError, unknown
from lvmcore.evaluation.document import Condition, GateResult, SplitResult, figures_of
from lvmcore.evaluation.figures import apart, signed
from lvmcore.variants.gates import Gate, beats, find_figure, paired

Outcome = tuple[bool | None, str]
"""Whether a gate holds (None: not measurable), and why it does not; no reason where it is about nothing."""


COMPARED = {"A.cosine": "cosine", "B.unseen.r5": "B/unseen/r5", "D.score": "D/score"}
"""Figures that models and cheats are compared by, window by window → their columns."""


def require_known(
    name: str, profile: Iterable[Gate], offsets: Sequence[str], checks: Collection[str], absent: str = ""
) -> None:
    """See that every gate of a profile is about a figure that an evaluation has, before one is spent on it.

    Args:
        offsets: the names of test A's offsets.
        checks: letters of the plugins' tests, whose figures are known only when they have run.
        absent: which plugins may own a letter that nobody has, for the error.

    Raises:
        LvmError: naming the first gate that is not.
    """
    known = {test: figures_of(kind, offsets) for test, kind in get_type_hints(SplitResult).items() if len(test) == 1}
    known["A"].append("cosine")
    for gate in profile:
        where = f"gates.{name}.{gate.letter}.{gate.figure}"
        if gate.rule.cheats and f"{gate.letter}.{gate.figure}" not in COMPARED:
            compared = ", ".join(COMPARED)
            raise LvmError("'beats cheats' is not measured for this figure", where=where, expected=compared)
        if gate.split == "both" and (gate.letter, gate.figure) != ("E", "delta"):
            raise LvmError("the figure is one of each split", where=where, expected="{ val = …, ood = … }")
        if gate.letter in checks:
            continue
        if gate.letter not in known:
            raise unknown("test", gate.letter, [*known, *checks], where=where, fix=f"lvm list checks{absent}")
        if (gate.letter, gate.figure) == ("E", "delta"):
            if gate.split != "both":
                raise LvmError(
                    f"E.delta compares the two splits, and is none of {gate.split}",
                    where=where,
                    expected="{ both = … }",
                )
        elif gate.figure not in known[gate.letter]:
            raise unknown("figure", gate.figure, known[gate.letter], where=where, fix="see docs/variants.md")


def judge(name: str, profile: Iterable[Gate], measured: dict[str, Any]) -> GateResult:
    """Hold a profile against a measured document (`{"splits": …, "E_delta": …, "differences": …}`)."""
    letters: dict[str, bool | None] = {}
    why: dict[str, list[str]] = {}
    conditions = []
    for gate in profile:
        table, figure = find_figure(gate.letter, gate.figure, gate.split, measured)
        holds, reason = _outcome(gate, table, figure, measured)
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
    return GateResult(name, letters, said, tuple(conditions))


def _outcome(gate: Gate, table: dict[str, Any], figure: dict[str, Any] | None, measured: dict[str, Any]) -> Outcome:
    """What comes of a gate, given its figure and the table that it stands in."""
    if gate.split != "both" and gate.split not in measured["splits"]:
        return None, f"{gate.split} was not evaluated"
    place = _place(gate)
    if gate.rule.cheats:
        return _against_cheats(gate, place, measured)
    if figure is None or figure["value"] is None:
        if gate.rule.negated and table.get("windows") == 0:
            return None, ""
        return None, f"{place} is not measurable"
    holds = gate.rule.holds(figure["value"], figure["low"], figure["high"])
    return holds, f"{place} {_contrast(gate, figure)}" if holds is not None else f"{place} has no interval"


def _against_cheats(gate: Gate, place: str, measured: dict[str, Any]) -> Outcome:
    """Beats every cheat: the lower end of each paired difference lies above 0."""
    figures = paired(gate.letter, gate.figure, gate.split, measured)
    if not figures or any(figure is None or figure["low"] is None for figure in figures.values()):
        return None, f"{place} has no paired interval"
    unbeaten = {cheat: figure for cheat, figure in figures.items() if figure and not beats(figure)}
    said = ", ".join(f"{cheat} ({signed(figure['value'])})" for cheat, figure in unbeaten.items())
    return not unbeaten, f"{place} does not beat {said}"


def _place(gate: Gate) -> str:
    figure = gate.figure.replace("offsets.", "s ")
    return figure if gate.split == "both" else f"{gate.split} {figure}"


def _contrast(gate: Gate, figure: dict[str, float]) -> str:
    """`-0.070 < 0.12`, with enough digits that the two numbers differ."""
    rule, value = gate.rule, figure["value"]
    if rule.interval:
        return f"{signed(value)} [{signed(figure['low'])}, {signed(figure['high'])}], not '{rule.text}'"
    return f"{apart(value, rule.threshold)} {'<' if rule.sign == '>=' else '>'} {rule.threshold:g}"
