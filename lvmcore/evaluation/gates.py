"""Gate profiles applied to a result: which letters pass, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lvmcore.errors import LvmError
from lvmcore.evaluation.result import GateResult
from lvmcore.variants import Gate


def judge(name: str, profile: Iterable[Gate], measured: dict[str, Any]) -> GateResult:
    """Hold a profile against a measured document (`{"splits": …, "E_delta": …}`).

    Raises:
        LvmError: a gate on a figure that no evaluation has.
    """
    letters: dict[str, bool | None] = {}
    why: dict[str, list[str]] = {}
    for gate in profile:
        if gate.split in ("val", "ood") and gate.split not in measured["splits"]:
            outcome, reason = None, f"{gate.split} was not evaluated"
        else:
            value = _figure(gate, measured)
            place = _place(gate)
            outcome = None if value is None else gate.holds(value)
            reason = f"{place} is not measurable" if value is None else f"{place} {_against(value, gate)}"
        if outcome is not True:
            why.setdefault(gate.letter, []).append(reason)
        earlier = letters.get(gate.letter, True)
        letters[gate.letter] = False if False in (earlier, outcome) else None if None in (earlier, outcome) else True
    return GateResult(name, letters, {letter: "; ".join(reasons) for letter, reasons in why.items()})


def _place(gate: Gate) -> str:
    figure = gate.figure.replace("offsets.", "s ")
    return figure if gate.split == "both" else f"{gate.split} {figure}"


def _against(value: float, gate: Gate) -> str:
    """`-0.070 < 0.12`, with enough digits that the two numbers differ."""
    sign = "<" if gate.sign == ">=" else ">"
    digits = next((d for d in range(3, 10) if f"{value:.{d}f}" != f"{gate.threshold:.{d}f}"), 10)
    return f"{value:.{digits}f} {sign} {gate.threshold:g}"


def _figure(gate: Gate, measured: dict[str, Any]) -> float | None:
    if gate.letter == "E" and gate.figure == "delta":
        return measured["E_delta"]["value"]
    node: Any = measured["splits"][gate.split].get(gate.letter)
    for key in gate.figure.split("."):
        if not isinstance(node, dict) or key not in node:
            raise LvmError(
                f"a gate asks for a figure that the evaluation has not: {gate.letter}.{gate.figure}",
                where="the gate profile",
                expected=", ".join(sorted(node)) if isinstance(node, dict) else None,
            )
        node = node[key]
    return node["value"]
