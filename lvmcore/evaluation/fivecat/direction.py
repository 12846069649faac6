"""Gain and direction: what the margin can't say.

A negative margin alone is no defect, since the mean-square-optimal predictor has one whenever context and
target share a topic. Gain asks whether a model beats the best six-scalar filter; direction, whether it gains
more forwards than when it reads the same rows backwards and is asked for the row before them.
"""

from __future__ import annotations

from torch import Tensor

from lvmcore.evaluation.chunk import Chunk, answered, cosine, where


def measure(chunk: Chunk) -> dict[str, Tensor]:
    """Gain of every window, and direction of those that have a row before their context."""
    if chunk.filter is None:
        return {}
    columns = {"A/gain": chunk.gain}
    if chunk.sees_target:  # the oracle is not defined backwards
        return columns
    earlier, inside = chunk.batch.at(-chunk.batch.length - 1)
    backward_gain = answered(chunk.reversed, earlier) - cosine(chunk.filtered(chunk.backwards), earlier)
    return columns | {"A/direction": where(inside, chunk.gain - backward_gain)}
