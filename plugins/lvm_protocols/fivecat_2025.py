"""Protocol `5cat-2025`: what the tool behind the comparison of 2025-11-02 computed, faults and all.

It is kept so that the published figures stay comparable, and is never the default. docs/5cat.md lists its
faults; the chief one is that A and D read one row too late, so that a perfect predictor fails.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from lvmcore import Ablations, Chunk, CoherenceBins, Count, OffsetSweep, Protocol, Retrieval, Rollout, component

if TYPE_CHECKING:
    from torch import Tensor

REACH = 3
LEAST = 6
EPSILON = 1e-9
SEED = 17
HORIZON = 5


@component
class FiveCat2025:
    """The tool of 2025-11-02, to the index: figures without intervals, of the first windows that a test can measure."""

    rounding: ClassVar[bool] = True
    """Its ranks are decided by rounding."""

    def build(self) -> Protocol:
        tests = (Sweep(), Retrieve(), Ablate(), Roll(horizon=HORIZON), Bins())
        return Protocol(tests=tests, extended=False, spread=False, ahead=HORIZON)


@component
class Sweep(OffsetSweep):
    """A: k counts from the target, so that the margin asks for the row after it."""

    def offsets(self, context: int) -> list[str]:
        return [f"{k:+d}" if k else "0" for k in range(-REACH, REACH + 1)]

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        import torch

        def measure(chunk: Chunk) -> dict[str, Tensor]:
            prediction = chunk.prediction
            columns, complete = {}, torch.ones(len(prediction), dtype=torch.bool, device=prediction.device)
            for name in self.offsets(chunk.batch.length):
                rows, inside = chunk.batch.at(int(name))
                columns[f"offsets.{name}"] = cosine(prediction, rows)
                complete &= inside
            return {name: where(complete, values) for name, values in columns.items()}

        return measure


@component
class Retrieve(Retrieval):
    """B: every row of the article is a candidate; the target's similarity is computed apart, in float32."""

    def counts(self) -> tuple[Count, ...]:
        return (*(count for count in super().counts() if count.name.startswith("all.")), Count("unseen"))

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        import torch

        def measure(chunk: Chunk) -> dict[str, Tensor]:
            corpus, batch = chunk.batch.corpus, chunk.batch
            ranks = torch.full((len(batch.targets),), torch.nan)
            copies = ranks.clone()
            own = (chunk.prediction * batch.target).sum(-1) / (
                (chunk.prediction.norm(dim=-1) + EPSILON) * (batch.target.norm(dim=-1) + EPSILON)
            )
            for article in batch.article_numbers.unique().tolist():
                start, end = corpus.starts[article : article + 2].tolist()
                windows = (batch.article_numbers == article).nonzero().squeeze(1)
                if end - start >= LEAST:
                    there = windows.to(corpus.device)
                    rows, predictions = corpus.rows(torch.arange(start, end)), chunk.prediction[there]
                    norms = (predictions.norm(dim=-1)[:, None] + EPSILON) * (rows.norm(dim=-1) + EPSILON)
                    similarities = predictions @ rows.T / norms
                    above = (similarities > own[there, None]).sum(1)
                    # one that is no direction would stand first in that tool: nothing is above it
                    ranks[windows] = torch.where(pointing(predictions), 1.0 + above, end - start).cpu()
                    alike = chunk.keys.alike(torch.arange(start, end))
                    copies[windows] = (alike == alike[batch.targets[windows] - start, None]).sum(1) - 1.0
            there = ~ranks.isnan()
            return {
                "all.rank": ranks,
                "all.r1": where(there, (ranks <= 1).float()),
                "all.r5": where(there, (ranks <= 5).float()),
                "all.mrr": 1 / ranks,
                "all.duplicates": copies,
            }

        return measure


@component
class Ablate(Ablations):
    """C, with the original's random stream over the windows of a split in their order."""

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        import torch

        stream = random.Random(SEED)

        def orders(count: int, length: int) -> Tensor:
            found = []
            for _ in range(count):
                order = list(range(length))
                stream.shuffle(order)
                found.append(order)
            return torch.tensor(found)

        def measure(chunk: Chunk) -> dict[str, Tensor]:
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
            order = orders(len(context), length).to(context.device)[..., None].expand_as(context)
            return {
                "shuffle": delta(context.gather(1, order)),
                "reverse": cosine(chunk.reversed, target) - base,
                "leave_one_out": torch.stack(left_out).sum(0) / length,
                "repeat": delta(last.expand_as(context)),
                # named cross_article there, but it puts the window's own first row in the last place
                "foreign": delta(torch.cat([context[:, :-1], context[:, :1]], 1)),
            }

        return measure


@component
class Roll(Rollout):
    """D: step h is compared with the row after the one it predicts."""

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        import torch

        def measure(chunk: Chunk) -> dict[str, Tensor]:
            context, prediction = chunk.batch.context, chunk.prediction
            steps, complete = [], torch.ones(len(prediction), dtype=torch.bool, device=prediction.device)
            for h in range(1, self.horizon + 1):
                if h > 1:
                    context = torch.cat([context[:, 1:], prediction[:, None]], 1)
                    prediction = chunk.predict(context, chunk.batch.at(h - 1)[0])
                truth, inside = chunk.batch.at(h)
                steps.append(cosine(prediction, truth))
                complete &= inside
            columns = {f"curve.{h}": where(complete, values) for h, values in enumerate(steps, 1)}
            return columns | {"score": where(complete, torch.stack(steps).mean(0))}

        return measure


@component
class Bins(CoherenceBins):
    """E, with the original's cosine, and without gain."""

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        def measure(chunk: Chunk) -> dict[str, Tensor]:
            context = chunk.batch.context
            own = cosine(chunk.prediction, chunk.batch.target)
            inside = self.inside(cosine(context[:, 1:], context[:, :-1]).mean(1))
            return {f"{name}.cosine": where(mask, own) for name, mask in inside.items()}

        return measure


def cosine(left: Tensor, right: Tensor) -> Tensor:
    """a·b / ((‖a‖ + 1e-9)(‖b‖ + 1e-9)) of rows (B, D) → (B,), in float64."""
    left, right = left.double(), right.double()
    return (left * right).sum(-1) / ((left.norm(dim=-1) + EPSILON) * (right.norm(dim=-1) + EPSILON))


def pointing(prediction: Tensor) -> Tensor:
    """Which predictions (B, D) are a direction (B,); one that is broken was made 0."""
    return (prediction != 0).any(-1)


def where(mask: Tensor, values: Tensor) -> Tensor:
    """Values where they can be measured, NaN elsewhere."""
    return values.masked_fill(~mask, float("nan"))
