"""Training steps over random rows, for tests of losses."""

from __future__ import annotations

import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.windows import Batch
from lvmcore.training.step import Step


def step_of(
    rows: Tensor, raw: Tensor, targets: list[int], context: int = 5, epoch: int = 1, lengths: list[int] | None = None
) -> Step:
    """A step over windows of a corpus with these rows (N, D), in the precision of `raw`."""
    starts = torch.tensor([0, *torch.tensor(lengths or [len(rows)]).cumsum(0).tolist()])
    corpus = Corpus(rows.float(), starts, torch.zeros(len(starts) - 1, dtype=torch.uint8), CorpusInfo(name="rows"))
    corpus.rows = lambda index: torch.nn.functional.normalize(rows.to(raw.dtype), dim=-1)[index]  # in raw's precision
    batch = Batch(corpus, torch.tensor(targets), context)
    return Step(batch=batch, raw=raw, epoch=epoch, model=lambda contexts: contexts.mean(1))


def random_step(dtype: torch.dtype = torch.float64, dim: int = 6, count: int = 7, seed: int = 0) -> Step:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count + 8, dim, generator=generator, dtype=torch.float64).to(dtype)
    raw = torch.randn(count, dim, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    return step_of(rows, raw, list(range(5, 5 + count)))


def articles_step(seed: int = 0, dim: int = 6, lengths: tuple[int, ...] = (7, 6, 9, 8)) -> Step:
    """All windows of a few articles, in float64; the second article has one window and no row besides."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(sum(lengths), dim, generator=generator, dtype=torch.float64)
    targets = [sum(lengths[:i]) + t for i, length in enumerate(lengths) for t in range(5, length)]
    raw = torch.randn(len(targets), dim, generator=generator, dtype=torch.float64).requires_grad_()
    step = step_of(rows, raw, targets, lengths=list(lengths))
    weights = torch.randn(5 * dim, dim, generator=generator, dtype=torch.float64)
    step.model = lambda contexts: contexts.flatten(1) @ weights
    return step
