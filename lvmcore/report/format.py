"""Sizes and lengths of time, as every table shows them."""

from __future__ import annotations

from lvmcore.evaluation.figures import NONE


def count(number: int | None) -> str:
    """A large whole number in three digits: `17.5M` parameters, `44.1k`."""
    if number is None:
        return NONE
    for factor, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= factor:
            value = number / factor
            return f"{value:.0f}{unit}" if value >= 100 else f"{value:.1f}{unit}"
    return str(number)


def mebibytes(number: float | None) -> str:
    """Bytes as MiB."""
    if number is None:
        return NONE
    value = number / 2**20
    return f"{value:.0f} MiB" if value >= 10 else f"{value:.1f} MiB"


def duration(seconds: float | None) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return NONE
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
