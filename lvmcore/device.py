"""fp32, bf16, or auto: bf16 where the processor multiplies it natively. Needs torch for the computing alone."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

_NATIVE = {"amx_bf16", "avx512_bf16", "bf16"}
"""Processor flags, as Linux names them, of a native bfloat16 product: x86's two, and Arm's."""


def resolve(precision: str) -> str:
    """`auto` made concrete; without native products bf16 is many times slower than fp32."""
    if precision != "auto":
        return precision
    return "bf16" if processor_flags() & _NATIVE else "fp32"


def autocast(precision: str) -> AbstractContextManager[object]:
    """The context in which the model's forward pass runs, for `fp32` or `bf16`."""
    if precision not in ("fp32", "bf16"):
        raise ValueError(f"'{precision}' must be resolved first")
    if precision == "fp32":
        return nullcontext()
    import torch

    return torch.autocast("cpu", torch.bfloat16)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads, on whose number the last bits of a sum depend."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def processor_flags() -> set[str]:
    """The feature flags of the processor; empty where the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split(":")[1].split()}


def processor_name() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
