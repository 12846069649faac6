"""Test A, the offset sweep: which row of the article does the prediction look like?"""

from __future__ import annotations

import attrs
import numpy as np
from torch import Tensor

from lvmcore.evaluation.chunk import Chunk, cosine, where
from lvmcore.evaluation.statistics import Figure, Statistics

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
    context = chunk.batch.length
    columns, complete = {}, None
    for name in offset_names(context):
        rows, inside = chunk.batch.at(int(name) - 1)
        columns[f"A/{name}"] = cosine(chunk.prediction, rows)
        complete = inside if complete is None else complete & inside
    assert complete is not None
    return {name: where(complete, values) for name, values in columns.items()}


def report(statistics: Statistics, context: int) -> OffsetSweep:
    """margin = s(+1) − the largest other mean; margin_last = s(+1) − s(0)."""
    means = {name: statistics.mean(f"A/{name}") for name in offset_names(context)}
    others = np.stack([mean for name, mean in means.items() if name != "+1"])
    return OffsetSweep(
        offsets={name: statistics.figure(mean) for name, mean in means.items()},
        margin=statistics.figure(means["+1"] - others.max(0)),
        margin_last=statistics.figure(means["+1"] - means["0"]),
        direction=statistics.figure("A/direction"),
        gain=statistics.figure("A/gain"),
        windows=statistics.count("A/+1"),
    )
