"""A random direction, the floor."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lvmcore import Corpus, component, content_keys, mix, option


@component
class Random:
    """A unit vector drawn by what the context holds: the same window gets the same vector wherever it stands."""

    seed: int = option(default=0, help="another seed draws others")

    def build(self, corpus: Corpus, context: int) -> Callable[[Tensor], Tensor]:
        def draw(rows: Tensor) -> Tensor:
            channels = torch.arange(corpus.dim) * 2 + 1
            keys = (
                content_keys(rows.cpu(), self.seed)[:, None] + channels
            )  # (B, D), on the processor: they need float64
            # Box–Muller: two uniforms in (0, 1) from the upper 53 bits of two keys
            first, second = ((mix(key) >> 11).double().add(2**52 + 0.5) / 2**53 for key in (mix(keys), mix(keys + 1)))
            return ((-2 * first.log()).sqrt() * (2 * torch.pi * second).cos()).to(rows)

        return draw
