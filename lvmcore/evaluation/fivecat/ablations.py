"""Test C, ablations: does the prediction get worse when the context is spoilt?"""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from lvmcore.evaluation.chunk import Chunk, answered, where
from lvmcore.evaluation.content import mix
from lvmcore.evaluation.statistics import Figure, Statistics

NAMES = ("shuffle", "reverse", "leave_one_out", "repeat", "foreign")


@attrs.frozen
class Ablations:
    """Δ = mean cos(model(ablated), target) − mean cos(model(context), target); below 0 is worse."""

    shuffle: Figure
    reverse: Figure
    leave_one_out: Figure
    repeat: Figure
    foreign: Figure
    windows: int


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
    return {
        "C/shuffle": delta(reordered(context, order)),
        "C/reverse": answered(chunk.reversed, chunk.batch.target) - chunk.cos_next,
        "C/leave_one_out": left_out.mean(0),
        "C/repeat": delta(context[:, -1:].expand_as(context)),
        "C/foreign": where(there, delta(foreign)),
    }


def leave_out(context: Tensor, i: int) -> Tensor:
    """Drop row i and repeat the first remaining row at the front, so that dropping the last really drops it."""
    rest = [place for place in range(context.shape[1]) if place != i]
    return context.index_select(1, torch.tensor([rest[0], *rest], device=context.device))


def reordered(context: Tensor, order: Tensor) -> Tensor:
    """The rows of each context (B, C, D) in an order of its own (B, C)."""
    begins = torch.arange(len(order))[:, None] * order.shape[1]
    return context.flatten(0, 1).index_select(0, (begins + order).flatten()).view_as(context)


def permutations(keys: Tensor, length: int) -> Tensor:
    """A permutation for each key (B, C), never the identity, every other equally likely."""
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


def report(statistics: Statistics) -> Ablations:
    return Ablations(*(statistics.figure(f"C/{name}") for name in NAMES), windows=statistics.count("C/shuffle"))
