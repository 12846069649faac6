"""Test D, rollout: how far do predictions carry when they are fed back?"""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from lvmcore.evaluation.chunk import Chunk, cosine, where
from lvmcore.evaluation.statistics import COSINE, Figure, Statistics

HORIZON = 5


@attrs.frozen
class Rollout:
    """Mean over h = 1 … H of cos(p_h, x_{t+h−1}), and the curve over h."""

    score: Figure
    curve: list[Figure]
    windows: int


def measure(chunk: Chunk) -> dict[str, Tensor]:
    """Each step of the windows whose H rows exist. The first step is the base prediction."""
    context, prediction = chunk.batch.context, chunk.prediction
    steps, complete = [], torch.ones(len(prediction), dtype=torch.bool)
    for h in range(HORIZON):
        truth, inside = chunk.batch.at(h)
        if h:
            context = torch.cat([context[:, 1:], prediction[:, None]], 1)
            prediction = chunk.predict(context, truth)
        steps.append(cosine(prediction, truth))
        complete &= inside
    columns = {f"D/{h + 1}": where(complete, values) for h, values in enumerate(steps)}
    return columns | {"D/score": where(complete, torch.stack(steps).mean(0))}


def report(statistics: Statistics) -> Rollout:
    return Rollout(
        score=statistics.figure("D/score", COSINE),
        curve=[statistics.figure(f"D/{h + 1}", COSINE) for h in range(HORIZON)],
        windows=statistics.count("D/score"),
    )
