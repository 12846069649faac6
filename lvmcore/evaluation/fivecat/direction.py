"""Gain and direction: what the margin can't say.

A negative margin alone is no defect, since the mean-square-optimal predictor has one whenever context and
target share a topic. Gain asks whether a model beats the best six-scalar filter; direction, whether it gains
more forwards than when it reads the same rows backwards and is asked for the row before them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvmcore.evaluation.figures import Figure
from lvmcore.evaluation.rows import answered, cosine, where

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.evaluation.chunk import Chunk

FIGURES = (
    Figure(
        "direction",
        help="gain forwards less gain backwards, where the row before the context is asked for",
        better="higher",
        signed=True,
        headline=7,
    ),
    Figure(
        "gain",
        help="cosine of prediction and target less that of the filter",
        better="higher",
        signed=True,
        headline=2,
    ),
)


def measure(chunk: Chunk) -> dict[str, Tensor]:
    """Gain of every window, and direction of those that have a row before their context."""
    if chunk.filter is None:
        return {}
    columns = {"gain": chunk.gain}
    if chunk.sees_target:  # the oracle is not defined backwards
        return columns
    earlier, inside = chunk.batch.at(-chunk.batch.length - 1)
    backward_gain = answered(chunk.reversed, earlier) - cosine(chunk.filtered(chunk.backwards), earlier)
    return columns | {"direction": where(inside, chunk.gain - backward_gain)}
