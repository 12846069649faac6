"""On what and how precisely is computed: cpu, cuda, mps or auto; fp32, bf16 or auto. Only computing needs torch."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from lvmcore.errors import LvmError

DEVICES = ("auto", "cpu", "cuda", "mps")

_NATIVE = {"amx_bf16", "avx512_bf16", "bf16"}
"""Processor flags, as Linux names them, of a native bfloat16 product: x86's two, and Arm's."""


def find(device: str) -> str:
    """A device that is there: `auto` is the accelerator where there is one, and the processor where there is none.

    Raises:
        LvmError: no such device, or it isn't there.
    """
    if device == "cpu":
        return device
    if device not in DEVICES:
        raise LvmError(f"'{device}' is no device", expected=f"one of: {', '.join(DEVICES)}")
    import torch

    there = [name for name in ("cuda", "mps") if getattr(torch, name).is_available()]
    if device == "auto":
        return there[0] if there else "cpu"
    if device not in there:
        raise LvmError(
            f"torch {torch.__version__} finds no device '{device}' here",
            expected=f"one of: {', '.join([*there, 'cpu'])}",
            fix="--device cpu, or a torch that is built for the device",
        )
    return device


def resolve(precision: str, device: str = "cpu") -> str:
    """`auto` made concrete; without native products bf16 is many times slower than fp32."""
    if precision != "auto":
        return precision
    if device == "cpu":
        return "bf16" if processor_flags() & _NATIVE else "fp32"
    return "bf16" if device == "cuda" else "fp32"


def autocast(precision: str, device: str = "cpu") -> AbstractContextManager[object]:
    """The context in which a forward pass runs, for `fp32` or `bf16`."""
    if precision not in ("fp32", "bf16"):
        raise ValueError(f"'{precision}' must be resolved first")
    if precision == "fp32":
        return nullcontext()
    import torch

    return torch.autocast(device, torch.bfloat16)


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
