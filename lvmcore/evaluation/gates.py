"""Gate profiles applied to a result: which letters pass, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lvmcore.errors import LvmError
from lvmcore.evaluation.result import GateResult
from lvmcore.variants import Gate

Outcome = tuple[bool | None, str]
"""Whether a gate holds (None: not measurable), and why it does not."""


def judge(name: str, profile: Iterable[Gate], measured: dict[str, Any]) -> GateResult:
    """Hold a profile against a measured document (`{"splits": …, "E_delta": …, "differences": …}`).

    Raises:
        LvmError: a gate on a figure that no evaluation has.
    """
    letters: dict[str, bool | None] = {}
    why: dict[str, list[str]] = {}
    for gate in profile:
        outcome = _outcome(gate, measured)
        if outcome is None:  # about nothing, such as the gain in an empty bin
            letters.setdefault(gate.letter, None)
            continue
        holds, reason = outcome
        if holds is not True:
            why.setdefault(gate.letter, []).append(reason)
        before = letters.get(gate.letter)
        bad = gate.letter in why
        letters[gate.letter] = False if False in (before, holds) else None if bad else True
    for letter in [letter for letter, outcome in letters.items() if outcome is None and letter not in why]:
        why[letter] = ["nothing to measure"]
    return GateResult(name, letters, {letter: "; ".join(reasons) for letter, reasons in why.items()})


def _outcome(gate: Gate, measured: dict[str, Any]) -> Outcome | None:
    if gate.split != "both" and gate.split not in measured["splits"]:
        return None, f"{gate.split} was not evaluated"
    place = _place(gate)
    if gate.rule.cheats:
        return _against_cheats(gate, place, measured)
    node, figure = _find(gate, measured)
    if figure["value"] is None:
        if gate.rule.negated and node.get("windows") == 0:
            return None
        return None, f"{place} is not measurable"
    holds = gate.rule.holds(figure["value"], figure["low"], figure["high"])
    return holds, f"{place} {_contrast(gate, figure)}" if holds is not None else f"{place} has no interval"


def _against_cheats(gate: Gate, place: str, measured: dict[str, Any]) -> Outcome:
    """Beats every cheat: the lower end of each paired difference lies above 0."""
    cheats = measured.get("differences", {}).get(gate.split, {})
    figures = {cheat: found.get(f"{gate.letter}.{gate.figure}") for cheat, found in cheats.items()}
    if not figures or any(figure is None or figure["low"] is None for figure in figures.values()):
        return None, f"{place} has no paired interval"
    unbeaten = {cheat: figure for cheat, figure in figures.items() if figure["low"] <= 0}
    said = ", ".join(f"{c} ({f['value']:+.3f} [{f['low']:+.3f}, {f['high']:+.3f}])" for c, f in unbeaten.items())
    return not unbeaten, f"{place} does not beat {said}"


def _place(gate: Gate) -> str:
    figure = gate.figure.replace("offsets.", "s ")
    return figure if gate.split == "both" else f"{gate.split} {figure}"


def _contrast(gate: Gate, figure: dict[str, float]) -> str:
    """`-0.070 < 0.12`, with enough digits that the two numbers differ."""
    rule, value = gate.rule, figure["value"]
    if rule.interval:
        return f"{value:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}], not '{rule.text}'"
    digits = next((d for d in range(3, 10) if f"{value:.{d}f}" != f"{rule.threshold:.{d}f}"), 10)
    return f"{value:.{digits}f} {'<' if rule.sign == '>=' else '>'} {rule.threshold:g}"


def _find(gate: Gate, measured: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figure that a gate is about, and the table it stands in."""
    if (gate.letter, gate.figure) == ("E", "delta"):
        return measured, measured["E_delta"]
    node = parent = measured["splits"][gate.split].get(gate.letter)
    if gate.letter == "A" and gate.figure == "cosine":
        return measured["splits"][gate.split], measured["splits"][gate.split]["cosine"]
    for key in gate.figure.split("."):
        if not isinstance(node, dict) or key not in node:
            raise LvmError(
                f"a gate asks for a figure that the evaluation has not: {gate.letter}.{gate.figure}",
                where="the gate profile",
                expected=", ".join(sorted(node)) if isinstance(node, dict) else None,
            )
        parent, node = node, node[key]
    return parent, node
