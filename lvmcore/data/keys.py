"""Keys from what rows hold: 64 bits that are as good as drawn at random, and the same wherever the rows stand."""

from __future__ import annotations

import torch
from torch import Tensor

# Odd 64-bit constants of the splitmix64 finaliser (Steele, Lea, Flood 2014), as signed integers
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX_1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX_2 = 0x94D049BB133111EB - (1 << 64)


def content_keys(rows: Tensor, seed: int = 0) -> Tensor:
    """One 64-bit key for each context (B, C, D) → (B,) int64, from its values rounded to float16."""
    bits = rows.half().flatten(1).contiguous().view(torch.int16).long()  # (B, C·D)
    factors = mix(torch.arange(1, bits.shape[1] + 1, device=rows.device)) | 1
    return mix((bits * factors).sum(1) + seed)


def mix(key: Tensor) -> Tensor:
    """splitmix64's finaliser on int64, which wraps as the unsigned one does."""
    key = key + _GOLDEN
    key = (key ^ _shift(key, 30)) * _MIX_1
    key = (key ^ _shift(key, 27)) * _MIX_2
    return key ^ _shift(key, 31)


def _shift(key: Tensor, bits: int) -> Tensor:
    """Logical shift to the right."""
    return (key >> bits) & ((1 << (64 - bits)) - 1)
