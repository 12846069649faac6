"""How figures are written: alike in every table, and never as −0.000."""

from __future__ import annotations

NONE = "–"
"""What stands where nothing was measured."""

TESTS = {"A": "offset sweep", "B": "retrieval", "C": "ablations", "D": "rollout", "E": "coherence bins"}
LABELS = {"r1": "R@1", "r5": "R@5", "mrr": "MRR"}
WORDS = {"margin_last": "margin over the last row"}


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


def figure_label(name: str) -> str:
    """A figure of a gate in words: `R@5 unseen` for unseen.r5, `s(+1)` for offsets.+1, `gain low` for low.gain."""
    first, _, rest = name.partition(".")
    if not rest:
        return WORDS.get(name, name.replace("_", " "))
    if first == "offsets":
        return f"s({rest})"
    label = LABELS.get(rest, rest)
    return label if first == "all" else f"{label} {first}"


def _rounded(value: float, digits: int) -> float:
    return round(value, digits) + 0.0  # −0.0 + 0.0 is 0.0
