"""Test C, ablations: does the prediction get worse when the context is spoilt?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lvmcore.components import component
from lvmcore.evaluation.figures import Columns, Count, Figure
from lvmcore.evaluation.rows import answered, where

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.evaluation.chunk import Chunk
    from lvmcore.evaluation.statistics import Statistics

SPOILT = {
    "shuffle": "in another order",
    "reverse": "read backwards",
    "leave_one_out": "without one row, on average",
    "repeat": "of five times the last row",
    "foreign": "whose last row comes from another article",
}
"""Ablation → the context that it makes."""

_TINY = 1e-6


@component
class Ablations:
    """Δ = mean cos(model(ablated), target) − mean cos(model(context), target); below 0 is worse."""

    letter: ClassVar[str] = "C"
    title: ClassVar[str] = "ablations"

    def figures(self, context: int) -> tuple[Figure, ...]:
        return tuple(
            # a model that uses its context loses more when the context is spoilt
            Figure(name, help=f"what the cosine gains with a context {text}", better="lower", signed=True)
            for name, text in SPOILT.items()
        )

    def counts(self) -> tuple[Count, ...]:
        return (Count("windows", of="shuffle"),)

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        import torch

        def measure(chunk: Chunk) -> dict[str, Tensor]:
            """Δ of each ablation and window; nothing for the oracle, which has no answer to an ablated context."""
            context, keys = chunk.batch.context, chunk.window_keys
            if chunk.sees_target or context.shape[1] < 2:
                return {}
            foreign_row, there = chunk.keys.foreign(chunk.batch, keys)

            def delta(ablated: Tensor) -> Tensor:
                return answered(chunk.predict(ablated), chunk.batch.target) - chunk.cos_next

            order = permutations(keys, context.shape[1])
            left_out = torch.stack([delta(leave_out(context, i)) for i in range(context.shape[1])])
            foreign = torch.cat([context[:, :-1], chunk.batch.corpus.rows(foreign_row)[:, None]], 1)
            there = there.to(context.device)
            return {
                "shuffle": delta(reordered(context, order)),
                "reverse": answered(chunk.reversed, chunk.batch.target) - chunk.cos_next,
                "leave_one_out": left_out.mean(0),
                "repeat": delta(context[:, -1:].expand_as(context)),
                "foreign": where(there, delta(foreign)),
            }

        return measure

    def remarks(self, name: str, split: str, columns: Columns, statistics: Statistics) -> Iterator[str]:
        """One answer to every context."""
        spoilt = [columns[f"{self.letter}/{ablation}"] for ablation in SPOILT if f"{self.letter}/{ablation}" in columns]
        same = spoilt and all((np.abs(column[~np.isnan(column)]) < _TINY).all() for column in spoilt)
        if same and not np.nansum(columns["broken"]):
            yield f"{name} answers the same on {split} whatever the context"


def leave_out(context: Tensor, i: int) -> Tensor:
    """Drop row i and repeat the first remaining row at the front, so that dropping the last really drops it."""
    import torch

    first = 0 if i else 1
    return torch.cat([context[:, first, None], context[:, :i], context[:, i + 1 :]], 1)


def reordered(context: Tensor, order: Tensor) -> Tensor:
    """The rows of each context (B, C, D) in an order of its own (B, C)."""
    import torch

    begins = torch.arange(len(order))[:, None] * order.shape[1]
    places = (begins + order).flatten().to(context.device)
    return context.flatten(0, 1).index_select(0, places).view_as(context)


def permutations(keys: Tensor, length: int) -> Tensor:
    """A permutation for each key (B, C), never the identity, every other equally likely."""
    import torch

    from lvmcore.evaluation.content import mix

    columns = torch.arange(length)
    order = torch.empty(len(keys), length, dtype=torch.int64)
    todo = torch.arange(len(keys))
    draw = keys
    while len(todo):
        draw = mix(draw)
        order[todo] = mix(draw[:, None] + columns).argsort(1)
        again = (order[todo] == columns).all(1)
        todo, draw = todo[again], draw[again]
    return order
