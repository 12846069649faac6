"""Test A, the offset sweep: which row of the article does the prediction look like?"""

from __future__ import annotations

import attrs
import numpy as np
from torch import Tensor

from lvmcore.evaluation.chunk import Chunk, cosine, where
from lvmcore.evaluation.statistics import COSINE, Figure, Statistics

AFTER = 3
"""Offsets run from −(C − 1), the first context row, to +3, two rows after the target."""


@attrs.frozen
class OffsetSweep:
    """Mean cosine at each offset from the last context row; offset +1 is the target."""

    offsets: dict[str, Figure]
    margin: Figure
    margin_last: Figure
    direction: Figure
    gain: Figure
    windows: int


def offset_names(context: int) -> list[str]:
    """`-4 … 0 … +3` for a context of 5."""
    return [f"{k:+d}" if k else "0" for k in range(1 - context, AFTER + 1)]


def measure(chunk: Chunk) -> dict[str, Tensor]:
    """s(k) of each window for which every row of the sweep exists."""
    columns, complete = {}, None
    for name in offset_names(chunk.batch.length):
        rows, inside = chunk.batch.at(int(name) - 1)
        columns[f"A/{name}"] = cosine(chunk.prediction, rows)
        complete = inside if complete is None else complete & inside
    assert complete is not None
    columns["A/margin_last"] = columns["A/+1"] - columns["A/0"]
    return {name: where(complete, values) for name, values in columns.items()}


def margin(columns: dict[str, np.ndarray]) -> np.ndarray:
    """The margin's column: s(+1) − s(k) of the offset k whose mean is the largest of the others.

    The offset is chosen by the means over the split, and stays that of the split when articles are resampled.
    """
    offsets = [name for name in columns if name.startswith("A/") and name[2:].lstrip("+-").isdigit()]
    others = [name for name in offsets if name != "A/+1" and not np.isnan(columns[name]).all()]
    if not others:
        return np.full_like(columns["A/+1"], np.nan)
    rival = max(others, key=lambda name: np.nanmean(columns[name], dtype=np.float64))
    return columns["A/+1"] - columns[rival]


def report(statistics: Statistics, names: list[str]) -> OffsetSweep:
    """margin = s(+1) − the largest other mean; margin_last = s(+1) − s(0)."""
    return OffsetSweep(
        offsets={name: statistics.figure(f"A/{name}", COSINE) for name in names},
        margin=statistics.figure("A/margin"),
        margin_last=statistics.figure("A/margin_last"),
        direction=statistics.figure("A/direction"),
        gain=statistics.figure("A/gain"),
        windows=statistics.count("A/+1"),
    )
