"""A causal transformer decoder over the context rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from attrs.validators import and_, ge, lt, optional
from torch import Tensor, nn

from lvm_architectures.older import layers_in, renamed
from lvmcore import Adopted, Shape, component, option


@component
class Transformer:
    """Decoder layers whose target and memory are both the sequence, causally masked; the last position predicts.

    Linear D_in → d_model, sinusoidal positions, the layers, then Linear, GELU, LayerNorm, Linear → D.
    Source: rows 2 and 4 – 11 of the comparison of 2025-11-02; 17,867,520 parameters at D = 768.
    """

    d_model: int = option(default=512, help="width", validator=ge(2))
    heads: int = option(default=8, help="attention heads; they divide d_model", validator=ge(1))
    layers: int = option(default=4, help="decoder layers", validator=ge(1))
    ffn: int | None = option(
        default=None, help="width of the feed-forward part; none: 4 · d_model", validator=optional(ge(1))
    )
    dropout: float = option(default=0.1, help="dropout", validator=and_(ge(0), lt(1)))
    norm: Literal["post", "pre"] = option(default="post", help="LayerNorm behind or before each part")
    last_bias: float = option(default=0.0, help="subtracted from the attention logits of the last key (P5.1)")

    def __attrs_post_init__(self) -> None:
        require_divisible(self.d_model, self.heads)

    @classmethod
    def toy(cls) -> Self:
        return cls(d_model=32, heads=2, layers=1)

    @classmethod
    def adopt(cls, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Adopted | None:
        """A checkpoint of the older tools' transformer; the number of heads is in no tensor."""
        names = {r"input_proj\.": "project.", r"transformer_decoder\.layers\.": "layers.", r"head\.": "head."}
        own = renamed(weights, names, unused=["pos_encoder.pe"])
        if own is None:
            return None
        width, channels = own["project.weight"].shape
        told = facts.get("heads", facts.get("nhead"))
        made = cls(
            d_model=width,
            heads=int(told or 8),
            layers=layers_in(own, r"layers\."),
            ffn=len(own["layers.0.linear1.weight"]),
            dropout=float(facts.get("dropout", 0.1)),
        )
        dim = len(own["head.3.weight"])
        return Adopted(made, own, channels=channels, dim=dim, assumed=() if told else (f"heads={made.heads}",))

    def build(self, shape: Shape) -> nn.Module:
        return CausalDecoder(shape, self)


def require_divisible(d_model: int, heads: int) -> None:
    """A width that sinusoids and attention heads can share out.

    Raises:
        ValueError: it is odd, or no multiple of the heads.
    """
    if d_model % heads or d_model % 2:
        raise ValueError(f"d_model={d_model} must be even and a multiple of heads={heads}")


class CausalDecoder(nn.Module):
    positions: Tensor
    mask: Tensor

    def __init__(self, shape: Shape, options: Transformer) -> None:
        super().__init__()
        width = options.d_model
        self.project = nn.Linear(shape.channels, width)
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(
                width,
                options.heads,
                options.ffn or 4 * width,
                options.dropout,
                norm_first=options.norm == "pre",
            )
            for _ in range(options.layers)
        )
        # pre-norm layers leave their sum unnormalised
        self.norm = nn.LayerNorm(width) if options.norm == "pre" else nn.Identity()
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, shape.dim))
        self.register_buffer("positions", sinusoids(shape.context, width), persistent=False)
        self.register_buffer("mask", causal_mask(shape.context, options.last_bias), persistent=False)
        self._initialise(shape)

    def _initialise(self, shape: Shape) -> None:
        """Weights for unit vectors: a row of norm 1 enters with variance 1, and a prediction leaves with norm 1.

        torch's defaults expect inputs of variance 1; a unit row would be 20 times fainter than the positions
        added to it, and a post-norm decoder then answers the same to every context for thousands of steps.
        Branches are scaled by 1/√(their number), as in GPT-2 (Radford et al. 2019, section 2.3).
        """
        nn.init.normal_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        last = self.head[-1]
        nn.init.normal_(last.weight, std=(last.weight.shape[1] * shape.dim) ** -0.5)  # pyright: ignore
        nn.init.zeros_(last.bias)  # pyright: ignore
        for layer in self.layers:
            for branch in (layer.self_attn.out_proj, layer.multihead_attn.out_proj, layer.linear2):  # pyright: ignore
                with torch.no_grad():
                    branch.weight.mul_((3 * len(self.layers)) ** -0.5)  # pyright: ignore

    def forward(self, context: Tensor) -> Tensor:
        sequence = places_first(self.project(context) + self.positions)  # (C, B, d)
        hidden = sequence
        for layer in self.layers:
            hidden = layer(hidden, sequence, tgt_mask=self.mask, memory_mask=self.mask)
        return self.head(self.norm(hidden[-1]))  # (B, D)


def places_first(sequence: Tensor) -> Tensor:
    """(B, C, d) → (C, B, d) in memory too: torch's attention layers copy any other before each of their products."""
    return sequence.transpose(0, 1).contiguous()


def sinusoids(length: int, width: int) -> Tensor:
    """Sinusoidal positions (length, width), Vaswani et al. 2017, section 3.5."""
    frequency = 10_000 ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(length)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


def causal_mask(length: int, last_bias: float) -> Tensor:
    """Added to the attention logits (length, length): −∞ above the diagonal, −last_bias on the last key."""
    mask = torch.full((length, length), -torch.inf).triu(1)
    mask[-1, -1] -= last_bias
    return mask
