"""minGRU: a recurrent network whose gates do not see its state, so that all steps are computed at once."""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from attrs.validators import ge
from lvmcore import Shape, component, option
from torch import Tensor, nn


@component
class MinGru:
    """Layers of h_t = (1 − z_t) ⊙ h_{t−1} + z_t ⊙ h̃_t, z_t and h̃_t of row t alone; the last state predicts.

    Linear D_in → width, then of each layer x + Linear(minGRU(LayerNorm(x))), then LayerNorm, Linear → D.
    Source: Feng et al. 2024, "Were RNNs All We Needed?" (arXiv 2410.01201), section 3.1.
    """

    width: int = option(default=512, help="channels of the state", validator=ge(1))
    layers: int = option(default=3, help="layers", validator=ge(1))

    @classmethod
    def toy(cls) -> Self:
        return cls(width=32, layers=2)

    def build(self, shape: Shape) -> nn.Module:
        return MinGruStack(shape, self.width, self.layers)


class MinGruStack(nn.Module):
    def __init__(self, shape: Shape, width: int, layers: int) -> None:
        super().__init__()
        self.project = nn.Linear(shape.channels, width)
        self.layers = nn.ModuleList(MinGruLayer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, shape.dim)
        # torch's defaults expect channels of variance 1; a unit row is fainter, and a prediction shall have length 1
        nn.init.normal_(self.project.weight)
        nn.init.normal_(self.head.weight, std=(width * shape.dim) ** -0.5)
        nn.init.zeros_(self.head.bias)

    def forward(self, context: Tensor) -> Tensor:
        states = self.project(context)  # (B, C, width)
        for layer in self.layers:
            states = states + layer(states)
        return self.head(self.norm(states[:, -1]))  # (B, D)


class MinGruLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, width)
        self.candidate = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, rows: Tensor) -> Tensor:
        rows = self.norm(rows)
        return self.out(scan(self.gate(rows), self.candidate(rows)))


def scan(gate: Tensor, candidate: Tensor) -> Tensor:
    """Every state from gate logits and candidates, (B, C, width) each, beginning at a state of 0.

    h_t = Σ_{k ≤ t} (Π_{k < j ≤ t} (1 − z_j)) z_k h̃_k; the products are sums of logarithms, none of them above 0.
    """
    kept = F.logsigmoid(-gate.float()).cumsum(1)  # (B, C, width): Σ log(1 − z)
    decay = kept[:, :, None] - kept[:, None]  # (B, t, k, width)
    length = gate.shape[1]
    future = torch.ones(length, length, dtype=torch.bool, device=gate.device).triu(1)
    weights = decay.masked_fill(future[:, :, None], -torch.inf).exp()
    return torch.einsum("btkw,bkw->btw", weights, gate.float().sigmoid() * candidate.float())
