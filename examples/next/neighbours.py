"""A prior from the training rows, as a wrapper: what followed in training where the context had moved alike."""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from attrs.validators import ge, gt
from torch import Tensor, nn

from lvmcore import Shape, Windows, component, hookimpl, option


@component
class Neighbours:
    """Wraps another: raw = inner(context) + a · Σ p_j · (target_j − mean_j), a learned and 0 at the start.

    The sum is over the k training windows nearest by the cosine of their last row less the mean of their context, and
    p their softmax; mean_j is the mean of the neighbour's own context. While it is trained, windows of the same
    article are no neighbours, for none of an unseen article will be there; this holds where all training windows are
    kept. The kNN-LM of Khandelwal et al. (2020), of vectors.
    """

    k: int = option(default=32, help="neighbours", validator=ge(1))
    tau: float = option(default=0.1, help="temperature τ of their softmax", validator=gt(0))
    windows: int = option(default=8192, help="training windows that are kept, evenly spaced", validator=ge(1))

    @classmethod
    def toy(cls) -> Self:
        return cls(k=4, windows=64)

    def build(self, shape: Shape, inner: nn.Module) -> nn.Module:
        return WithNeighbours(inner, shape, self)


class WithNeighbours(nn.Module):
    keys: Tensor
    moves: Tensor
    articles: Tensor

    def __init__(self, inner: nn.Module, shape: Shape, options: Neighbours) -> None:
        super().__init__()
        self.inner, self.dim, self.options = inner, shape.dim, options
        self.share = nn.Parameter(torch.zeros(()))
        """a."""
        self.register_buffer("keys", torch.zeros(options.windows, shape.dim))
        self.register_buffer("moves", torch.zeros(options.windows, shape.dim))
        self.register_buffer("articles", torch.full((options.windows,), -1))
        """−1: nothing was seen."""

    def fit(self, windows: Windows) -> None:
        """Keep what is looked up."""
        step = -(-len(windows) // self.options.windows)
        index = torch.arange(0, len(windows), step)
        batch = windows.take(index)
        context = batch.context[..., : self.dim].float()
        self.keys[: len(index)] = _key(context)
        self.moves[: len(index)] = batch.target.float() - context.mean(1)
        self.articles[: len(index)] = windows.articles[index]

    def forward(self, context: Tensor) -> Tensor:
        cosines = _key(context[..., : self.dim].to(self.keys)) @ self.keys.T  # (B, windows)
        cosines = cosines.masked_fill(self.articles < 0, -1)
        if self.training:  # the window itself is the nearest, and says whose it is
            own = self.articles[cosines.argmax(1)]
            cosines = cosines.masked_fill(own[:, None] == self.articles, -1)
        best, found = cosines.topk(min(self.options.k, len(self.keys)), 1)
        weights = F.softmax(best / self.options.tau, 1)
        moved = (weights[..., None] * self.moves[found]).sum(1)  # (B, D)
        return self.inner(context) + self.share * moved.to(context)


def _key(context: Tensor) -> Tensor:
    """The last row less the mean, a unit vector: (B, C, D) → (B, D)."""
    return F.normalize(context[:, -1] - context.mean(1), dim=-1)


@hookimpl
def lvm_architectures():
    return [("neighbours", Neighbours)]
