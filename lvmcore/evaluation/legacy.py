"""Protocol `5cat-2025`: what the tool behind the comparison of 2025-11-02 computed, faults and all.

It is kept so that the published figures stay comparable, and is never the default. docs/5cat.md lists its
faults; the chief one is that A and D read one row too late, so that a perfect predictor fails.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from lvmcore.evaluation.chunk import Chunk, pointing, where
from lvmcore.evaluation.fivecat.rollout import HORIZON

REACH = 3
AHEAD = HORIZON
"""Rows ahead of the target that the furthest test, D, compares with."""
LEAST = 6
EPSILON = 1e-9
SEED = 17
LOW, HIGH = 0.45, 0.55


def tests() -> Sequence:
    """The five tests, with a fresh random stream."""
    return (sweep, retrieve, Ablate(), roll, bins)


def offset_names(context: int) -> list[str]:
    """`-3 … 0 … +3` around the target, whatever the context."""
    return [f"{k:+d}" if k else "0" for k in range(-REACH, REACH + 1)]


def cosine(left: Tensor, right: Tensor) -> Tensor:
    """a·b / ((‖a‖ + 1e-9)(‖b‖ + 1e-9)) of rows (B, D) → (B,), in float64."""
    left, right = left.double(), right.double()
    return (left * right).sum(-1) / ((left.norm(dim=-1) + EPSILON) * (right.norm(dim=-1) + EPSILON))


def sweep(chunk: Chunk) -> dict[str, Tensor]:
    """A: k counts from the target, so that the margin asks for the row after it."""
    columns, complete = {}, torch.ones(len(chunk.batch.targets), dtype=torch.bool)
    for name in offset_names(chunk.batch.length):
        rows, inside = chunk.batch.at(int(name))
        columns[f"A/{name}"] = cosine(chunk.prediction, rows)
        complete &= inside
    return {name: where(complete, values) for name, values in columns.items()}


def retrieve(chunk: Chunk) -> dict[str, Tensor]:
    """B: every row of the article is a candidate; the target's similarity is computed apart, in float32."""
    corpus, batch = chunk.batch.corpus, chunk.batch
    ranks = torch.full((len(batch.targets),), torch.nan)
    copies = ranks.clone()
    own = (chunk.prediction * batch.target).sum(-1) / (
        (chunk.prediction.norm(dim=-1) + EPSILON) * (batch.target.norm(dim=-1) + EPSILON)
    )
    for article in batch.articles.unique().tolist():
        start, end = corpus.starts[article : article + 2].tolist()
        windows = (batch.articles == article).nonzero().squeeze(1)
        if end - start >= LEAST:
            rows, predictions = corpus.rows(torch.arange(start, end)), chunk.prediction[windows]
            norms = (predictions.norm(dim=-1)[:, None] + EPSILON) * (rows.norm(dim=-1) + EPSILON)
            similarities = predictions @ rows.T / norms
            above = (similarities > own[windows, None]).sum(1)
            # one that is no direction would stand first in that tool: nothing is above it
            ranks[windows] = torch.where(pointing(predictions), 1.0 + above, end - start)
            alike = chunk.keys.alike[start:end]
            copies[windows] = (alike == alike[batch.targets[windows] - start, None]).sum(1) - 1.0
    there = ~ranks.isnan()
    return {
        "B/all/rank": ranks,
        "B/all/r1": where(there, (ranks <= 1).float()),
        "B/all/r5": where(there, (ranks <= 5).float()),
        "B/all/mrr": 1 / ranks,
        "B/all/duplicates": copies,
    }


class Ablate:
    """C, with the original's random stream over the windows of a split in their order."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)

    def __call__(self, chunk: Chunk) -> dict[str, Tensor]:
        context, target = chunk.batch.context, chunk.batch.target
        if chunk.sees_target:
            return {}
        length = context.shape[1]
        base = cosine(chunk.prediction, target)

        def delta(ablated: Tensor) -> Tensor:
            return cosine(chunk.predict(ablated), target) - base

        last = context[:, -1:]
        # dropping the last row and appending it again changes nothing: that term is 0
        left_out = [delta(torch.cat([context[:, :i], context[:, i + 1 :], last], 1)) for i in range(length - 1)]
        return {
            "C/shuffle": delta(context.gather(1, self._orders(len(context), length)[..., None].expand_as(context))),
            "C/reverse": cosine(chunk.reversed, target) - base,
            "C/leave_one_out": torch.stack(left_out).sum(0) / length,
            "C/repeat": delta(last.expand_as(context)),
            # named cross_article there, but it puts the window's own first row in the last place
            "C/foreign": delta(torch.cat([context[:, :-1], context[:, :1]], 1)),
        }

    def _orders(self, count: int, length: int) -> Tensor:
        orders = []
        for _ in range(count):
            order = list(range(length))
            self.random.shuffle(order)
            orders.append(order)
        return torch.tensor(orders)


def roll(chunk: Chunk) -> dict[str, Tensor]:
    """D: step h is compared with the row after the one it predicts."""
    context, prediction = chunk.batch.context, chunk.prediction
    steps, complete = [], torch.ones(len(prediction), dtype=torch.bool)
    for h in range(1, HORIZON + 1):
        if h > 1:
            context = torch.cat([context[:, 1:], prediction[:, None]], 1)
            prediction = chunk.predict(context, chunk.batch.at(h - 1)[0])
        truth, inside = chunk.batch.at(h)
        steps.append(cosine(prediction, truth))
        complete &= inside
    columns = {f"D/{h + 1}": where(complete, values) for h, values in enumerate(steps)}
    return columns | {"D/score": where(complete, torch.stack(steps).mean(0))}


def bins(chunk: Chunk) -> dict[str, Tensor]:
    """E, with the original's cosine."""
    context = chunk.batch.context
    coherence = cosine(context[:, 1:], context[:, :-1]).mean(1)
    own = cosine(chunk.prediction, chunk.batch.target)
    inside = {"low": coherence < LOW, "normal": (coherence >= LOW) & (coherence <= HIGH), "high": coherence > HIGH}
    return {f"E/{name}": where(mask, own) for name, mask in inside.items()}
