"""How figures are written: alike in every table, and never as −0.000."""

from __future__ import annotations

NONE = "–"
"""What stands where nothing was measured."""


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
