"""Test D, rollout: how far do predictions carry when they are fed back?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from attrs.validators import ge

from lvmcore.components import component, option
from lvmcore.evaluation.figures import COSINE, Count, Figure
from lvmcore.evaluation.rows import cosine, where

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.evaluation.chunk import Chunk


@component
class Rollout:
    """Mean over h = 1 … H of cos(p_h, x_{t+h−1}), and the curve over h."""

    letter: ClassVar[str] = "D"
    title: ClassVar[str] = "rollout"

    horizon: int = option(default=5, help="steps H", validator=ge(1))

    def figures(self, context: int) -> tuple[Figure, ...]:
        score = Figure(
            "score",
            "rollout",
            help=f"mean cosine over {self.horizon} steps, each fed back",
            range=COSINE,
            better="higher",
            compared=True,
            headline=5,
        )
        steps = range(1, self.horizon + 1)
        # the first step predicts the target, as all other tests do
        aside = f"steps 2 to {self.horizon}"
        return (
            score,
            *(
                Figure(f"curve.{h}", f"step {h}", help=f"cosine at step {h}", range=COSINE, aside=aside, hidden=h == 1)
                for h in steps
            ),
        )

    def counts(self) -> tuple[Count, ...]:
        return (Count("windows", of="score"),)

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        import torch

        def measure(chunk: Chunk) -> dict[str, Tensor]:
            """Each step of the windows whose H rows exist. The first step is the base prediction."""
            context, prediction = chunk.batch.context, chunk.prediction
            steps, complete = [], torch.ones(len(prediction), dtype=torch.bool, device=prediction.device)
            for h in range(self.horizon):
                truth, inside = chunk.batch.at(h)
                if h:
                    context = torch.cat([context[:, 1:], prediction[:, None]], 1)
                    prediction = chunk.predict(context, truth)
                steps.append(cosine(prediction, truth))
                complete &= inside
            columns = {f"curve.{h}": where(complete, values) for h, values in enumerate(steps, 1)}
            return columns | {"score": where(complete, torch.stack(steps).mean(0))}

        return measure
