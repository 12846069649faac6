"""Where the rows of a corpus are gathered: on the processor, or for another device in one of two ways.

Numbers of rows and windows stay on the processor, whatever the device: they are few, and files are read by them.
"""

from __future__ import annotations

import re
import sys
from typing import Protocol

import torch
from torch import Tensor

from lvmcore.data.store.joined import Joined
from lvmcore.errors import LvmError

SHARE = 0.5
"""Of a device's free memory that rows may take, where nothing else is said."""


class Placed(Protocol):
    """Gathers rows: index (R,) int64 on the processor → unit rows (R, D) float32 on `device`."""

    device: torch.device
    said: str
    """Where the rows are, in words."""

    def __call__(self, index: Tensor) -> Tensor: ...


class Here:
    """On the processor."""

    device = torch.device("cpu")
    said = "rows are gathered on the processor"

    def __init__(self, vectors: Tensor | Joined, scales: Tensor | Joined) -> None:
        self.vectors, self.scales = vectors, scales

    def __call__(self, index: Tensor) -> Tensor:
        scales = self.scales.index_select(0, index)[:, None]
        return self.vectors.index_select(0, index).float().mul_(scales)


class There(Here):
    """On a device that holds them all, in the type that they are stored in."""

    def __init__(self, vectors: Tensor | Joined, scales: Tensor | Joined, device: torch.device) -> None:
        super().__init__(vectors[:].to(device), scales[:].to(device))
        self.device, self.said = device, f"all rows lie there, {size(vectors, scales):,} bytes"

    def __call__(self, index: Tensor) -> Tensor:
        return super().__call__(index.to(self.device, non_blocking=True))


class Sent(Here):
    """Gathered on the processor, in memory that the device copies from by itself, and made unit rows there."""

    def __init__(self, vectors: Tensor | Joined, scales: Tensor | Joined, device: torch.device) -> None:
        super().__init__(vectors, scales)
        self.device, self.said = (
            device,
            f"rows are sent to it, {size(vectors, scales):,} bytes being more than may lie there",
        )

    def __call__(self, index: Tensor) -> Tensor:
        held = (self.vectors.index_select(0, index), self.scales.index_select(0, index)[:, None])
        if self.device.type == "cuda":
            held = tuple(part.pin_memory() for part in held)
        rows, scales = (part.to(self.device, non_blocking=True) for part in held)
        return rows.float().mul_(scales)


def placed(vectors: Tensor | Joined, scales: Tensor | Joined, device: torch.device, room: int | None = None) -> Placed:
    """Where rows had better be gathered for a device: on it, if they fit.

    Args:
        room: bytes that rows may take there; by default half of what is free.
    """
    if device.type == "cpu":
        return Here(vectors, scales)
    if size(vectors, scales) <= (free(device) if room is None else room):
        return There(vectors, scales, device)
    return Sent(vectors, scales, device)


def room_of(text: str) -> int | None:
    """Bytes that rows may take on a device: `auto` (None), `all`, `none`, `4GB`, `500 MB`.

    Raises:
        LvmError: it is none of them.
    """
    named = {"auto": None, "all": sys.maxsize, "none": 0}
    if text in named:
        return named[text]
    found = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([MGT])B\s*", text)
    if not found:
        raise LvmError(
            f"'{text}' is no room for rows",
            where="--rows-on-device",
            expected="auto, all, none, or such as 500MB, 4GB, 1.5TB",
        )
    return int(float(found[1]) * {"M": 10**6, "G": 10**9, "T": 10**12}[found[2]])


def size(vectors: Tensor | Joined, scales: Tensor | Joined) -> int:
    """Bytes of all rows as they are stored."""
    return sum(held.dtype.itemsize * held.shape.numel() for held in (vectors, scales))


def free(device: torch.device) -> int:
    """Bytes that rows may take on a device, where nothing else is said."""
    if device.type == "cuda":
        return int(SHARE * torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(SHARE * (torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()))
    return 0
