"""Test A, the offset sweep: which row of the article does the prediction look like?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lvmcore.components import component
from lvmcore.evaluation.figures import COSINE, Columns, Count, Figure
from lvmcore.evaluation.fivecat import direction
from lvmcore.evaluation.rows import cosine, where

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.evaluation.chunk import Chunk

AFTER = 3
"""Offsets run from −(C − 1), the first context row, to +3, two rows after the target."""


@component
class OffsetSweep:
    """Mean cosine at each offset from the last context row; offset +1 is the target."""

    letter: ClassVar[str] = "A"
    title: ClassVar[str] = "offset sweep"

    def figures(self, context: int) -> tuple[Figure, ...]:
        return (
            Figure(
                "cosine",
                help="cosine of prediction and target",
                range=COSINE,
                better="higher",
                compared=True,
                key="val_cos",
                headline=1,
                place="cosine",
            ),
            *(
                Figure(f"offsets.{k}", f"s({k})", help=f"cosine with the row at offset {k}", range=COSINE)
                for k in self.offsets(context)
            ),
            Figure(
                "margin",
                help="s(+1) less the largest other mean of the sweep",
                better="higher",
                signed=True,
                key="margin",
                headline=3,
                derive=margin,
            ),
            Figure(
                "margin_last",
                "margin over last row",
                help="s(+1) less s(0), the cosine with the last context row",
                better="higher",
                signed=True,
            ),
            *direction.FIGURES,
        )

    def counts(self) -> tuple[Count, ...]:
        return (Count("windows", of="offsets.+1"),)

    def offsets(self, context: int) -> list[str]:
        """`-4 … 0 … +3` for a context of 5."""
        return names(range(1 - context, AFTER + 1))

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        def measure(chunk: Chunk) -> dict[str, Tensor]:
            """s(k) of each window for which every row of the sweep exists."""
            columns, complete = {}, None
            for name in self.offsets(chunk.batch.length):
                rows, inside = chunk.batch.at(int(name) - 1)
                columns[f"offsets.{name}"] = cosine(chunk.prediction, rows)
                complete = inside if complete is None else complete & inside
            assert complete is not None
            columns["margin_last"] = columns["offsets.+1"] - columns["offsets.0"]
            return {name: where(complete, values) for name, values in columns.items()} | direction.measure(chunk)

        return measure


def names(offsets: range) -> list[str]:
    """How offsets are written: with their sign, but for 0."""
    return [f"{k:+d}" if k else "0" for k in offsets]


def margin(columns: Columns) -> np.ndarray:
    """The margin's column: s(+1) − s(k) of the offset k whose mean is the largest of the others.

    The offset is chosen by the means over the split, and stays that of the split when articles are resampled.
    """
    own = columns["offsets.+1"]
    others = [column for name, column in columns.items() if name.startswith("offsets.") and column is not own]
    measured = [column for column in others if not np.isnan(column).all()]
    if not measured:
        return np.full_like(own, np.nan)
    return own - max(measured, key=lambda column: np.nanmean(column, dtype=np.float64))
