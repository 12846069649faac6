"""Rows, windows and training steps to try components with: small, drawn anew from a seed, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.windows import Batch
from lvmcore.training.step import Step

CONTEXT, DIM, BATCH = 5, 12, 7


def rows(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random unit vectors of this shape."""
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(drawn, dim=-1).to(dtype)


def contexts(count: int = BATCH, channels: int = DIM, seed: int = 0) -> Tensor:
    """Contexts (B, C, D_in); channels beyond D are what an earlier input would have appended."""
    own = rows(count, CONTEXT, DIM, seed=seed)
    ramp = torch.linspace(0, 0.1, CONTEXT)[:, None].expand(count, CONTEXT, channels - DIM)
    return torch.cat([own, ramp], -1)


def odd_contexts(plain: Tensor | None = None) -> Iterator[tuple[str, Tensor]]:
    """Contexts that the ablations or a poor corpus can bring, made of ordinary ones."""
    plain = contexts() if plain is None else plain
    yield "the rows reversed", plain.flip(1)
    yield "all rows equal", plain[:, :1].expand(-1, CONTEXT, -1).contiguous()
    yield "a row opposite to the next", torch.stack([plain[:, 0] * (-1) ** i for i in range(CONTEXT)], 1)
    yield "a single window", plain[:1]


class ExactCorpus(Corpus):
    """A corpus whose rows keep the precision they were given in, so that gradients can be measured."""

    def __init__(self, vectors: Tensor, starts: Tensor, splits: Tensor) -> None:
        super().__init__(vectors.float(), starts, splits, CorpusInfo(name="conformance"))
        self.exact = F.normalize(vectors, dim=-1)

    def rows(self, index: Tensor) -> Tensor:
        return self.exact[index]


def corpus(
    articles: int = 12, length: int = 12, seed: int = 0, dtype: torch.dtype = torch.float32, alike: bool = False
) -> Corpus:
    """Articles whose rows drift about a topic; with `alike` every row of an article is the same."""
    topics = rows(articles, 1, DIM, seed=seed, dtype=dtype)
    drift = rows(articles, length, DIM, seed=seed + 1, dtype=dtype).cumsum(1) * (0.0 if alike else 0.4)
    splits = torch.tensor([(0, 0, 1, 0, 0, 2)[i % 6] for i in range(articles)], dtype=torch.uint8)
    return ExactCorpus((topics + drift).flatten(0, 1), torch.arange(articles + 1) * length, splits)


@attrs.define(eq=False, slots=False, kw_only=True)
class Trial(Step):
    """A step whose model is one matrix."""

    matrix: Tensor
    """Its gradient is looked at, too: a loss may act on the model alone."""


def step_of(held: Corpus, targets: Tensor, raw: Tensor) -> Trial:
    """The step in which a linear model has predicted `raw` for these targets."""
    matrix = rows(CONTEXT * DIM, DIM, seed=5, dtype=raw.dtype).requires_grad_()

    def model(context: Tensor) -> Tensor:
        return context.flatten(1).to(raw.dtype) @ matrix

    return Trial(batch=Batch(held, targets, CONTEXT), raw=raw, epoch=1, model=model, matrix=matrix)


def random_step(dtype: torch.dtype = torch.float32, raw: Tensor | None = None) -> Trial:
    """Windows from the middle of articles, and a prediction that is neither good nor bad."""
    held = corpus(dtype=dtype)
    targets = held.windows("train", CONTEXT).targets[:: 56 // BATCH][:BATCH]
    if raw is None:
        raw = rows(BATCH, DIM, seed=3, dtype=dtype) * 0.8
    return step_of(held, targets, raw.detach().clone().requires_grad_())


def edge_steps() -> Iterator[tuple[str, Trial]]:
    """The steps at which losses break: no length, no angle, no future, no spread, no company."""
    plain = random_step()
    target = plain.target
    for what, raw in (
        ("an ordinary step", plain.raw),
        ("predictions of length 0", torch.zeros_like(target)),
        ("predictions equal to the target", target),
        ("predictions opposite to the target", -target),
        ("predictions equal to the last row", plain.context[:, -1]),
        ("predictions that are all the same", target[:1].expand_as(target)),
        ("predictions of length 1e-12", target * 1e-12),
        ("predictions of length 1e6", target.flip(0) * 1e6),
    ):
        yield what, random_step(raw=raw)
    ends = corpus().starts[1:4] - 1
    yield "windows at the ends of articles, without a future", step_of(corpus(), ends, raw_leaf(target[:3]))
    yield "a single window", step_of(corpus(), ends[:1] - 2, raw_leaf(target[:1]))
    alike = corpus(alike=True)
    same = alike.windows("train", CONTEXT).targets[:BATCH]
    yield "articles whose rows are all the same", step_of(alike, same, raw_leaf(alike.rows(same)))


def raw_leaf(values: Tensor) -> Tensor:
    """A copy that gathers a gradient."""
    return values.detach().clone().requires_grad_()
