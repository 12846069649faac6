"""Test E, coherence bins: does the prediction hold where the text jumps, and where it flows?"""

from __future__ import annotations

import attrs
from torch import Tensor

from lvmcore.evaluation.chunk import Chunk, cosine, where
from lvmcore.evaluation.statistics import COSINE, Figure, Statistics

LOW, HIGH = 0.45, 0.55


@attrs.frozen
class Bin:
    """The windows of one bin."""

    cosine: Figure
    gain: Figure
    windows: int


@attrs.frozen
class CoherenceBins:
    """Windows by the mean cosine of their adjacent context pairs: under 0.45, to 0.55, over 0.55."""

    low: Bin
    normal: Bin
    high: Bin


def measure(chunk: Chunk) -> dict[str, Tensor]:
    """cos(p, x_t) under the name of the bin that the window is in."""
    context = chunk.batch.context
    coherence = cosine(context[:, 1:], context[:, :-1]).mean(1)
    bins = {
        "low": coherence < LOW,
        "normal": (coherence >= LOW) & (coherence <= HIGH),
        "high": coherence > HIGH,
    }
    columns = {f"E/{name}": where(inside, chunk.cos_next) for name, inside in bins.items()}
    return columns | {f"E/{name}/gain": where(inside, chunk.gain) for name, inside in bins.items()}


def report(statistics: Statistics) -> CoherenceBins:
    return CoherenceBins(
        *(
            Bin(
                statistics.figure(f"E/{name}", COSINE),
                statistics.figure(f"E/{name}/gain"),
                statistics.count(f"E/{name}"),
            )
            for name in ("low", "normal", "high")
        )
    )
