"""On what and how precisely is computed: on cpu, cuda, mps; in fp32, tf32, bf16. Only computing needs torch."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lvmcore.errors import LvmError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DEVICES = ("auto", "cpu", "cuda", "mps")
"""`cuda:1` and so on are devices, too."""
PRECISIONS = ("fp32", "tf32", "bf16", "auto")
ON_PAPER = "meta"
"""Where nothing is computed and nothing takes memory, for --dry-run."""

AMPERE = (8, 0)
"""The compute capability from which on a GPU has TF32."""

_NATIVE = {"amx_bf16", "avx512_bf16", "bf16"}
"""Processor flags, as Linux names them, of a native bfloat16 product: x86's two, and Arm's."""


def find(device: str) -> str:
    """A device that is there: `auto` is the accelerator where there is one, and the processor where there is none.

    Raises:
        LvmError: no such device, or it isn't there.
    """
    if device == "cpu":
        return device
    kind, colon, number = device.partition(":")
    if kind not in DEVICES or (colon and (kind != "cuda" or not number.isdecimal())):
        raise LvmError(f"'{device}' is no device", expected=f"one of: {', '.join(DEVICES)}, cuda:N")
    import torch

    there = [name for name in ("cuda", "mps") if getattr(torch, name).is_available()]
    if device == "auto":
        return there[0] if there else "cpu"
    if kind not in there:
        raise LvmError(
            f"torch {torch.__version__} finds no device '{device}' here",
            expected=f"one of: {', '.join([*there, 'cpu'])}",
            fix="--device cpu, or a torch that is built for the device",
        )
    if colon and int(number) >= (count := torch.cuda.device_count()):
        raise LvmError(f"there is no device '{device}'", expected=f"cuda:0 to cuda:{count - 1}")
    return device


def resolve(precision: str, device: str = "cpu") -> str:
    """`auto` made concrete; without native products bf16 is many times slower than fp32.

    Raises:
        LvmError: no such precision, or one that the device has no products of.
    """
    if precision not in PRECISIONS:
        raise LvmError(f"'{precision}' is no precision", expected=f"one of: {', '.join(PRECISIONS)}")
    if precision == "tf32":
        _require_tf32(device)
    if precision != "auto":
        return precision
    if device == "cpu":
        return "bf16" if processor_flags() & _NATIVE else "fp32"
    return "bf16" if device.startswith("cuda") else "fp32"


def autocast(precision: str, device: str = "cpu") -> AbstractContextManager[object]:
    """The context in which a forward pass runs, for `fp32`, `tf32` or `bf16`."""
    if precision not in ("fp32", "tf32", "bf16"):
        raise ValueError(f"'{precision}' must be resolved first")
    if precision != "bf16":
        return products(precision, device)
    import torch

    return torch.autocast(torch.device(device).type, torch.bfloat16)


def products(precision: str, device: str) -> AbstractContextManager[object]:
    """The context in which a backward pass runs: how CUDA multiplies float32; elsewhere there is one way.

    What torch was told before holds again afterwards.
    """
    return _of_cuda(precision == "tf32") if device.startswith("cuda") else nullcontext()


@contextmanager
def _of_cuda(tf32: bool) -> Iterator[None]:
    """Products of float32 in TF32, or in full: torch's recurrent layers take TF32 unless they are told not to."""
    import torch

    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32 = before[1]


def _require_tf32(device: str) -> None:
    what = f"device '{device}' has no TF32"
    if device.startswith("cuda"):
        import torch

        if torch.cuda.get_device_capability(device) >= AMPERE:
            return
        what += f": {torch.cuda.get_device_name(device)} is too old"
    raise LvmError(what, expected="a GPU of NVIDIA, of 2020 or later", fix="--precision fp32, or auto")


def facts(device: str) -> dict[str, Any]:
    """What a record keeps of a device: its name, and its memory in bytes, None where torch does not tell."""
    if device.startswith("cuda"):
        import torch

        held = torch.cuda.get_device_properties(device)
        return {"kind": device, "name": held.name, "memory": held.total_memory}
    if device == "mps":
        import torch

        return {"kind": device, "name": f"{processor_name()} (mps)", "memory": torch.mps.recommended_max_memory()}
    return {"kind": device, "name": processor_name(), "memory": None}


def forked(device: torch.device, enabled: bool = True) -> AbstractContextManager[None]:
    """What is drawn inside, on the processor and on the device, changes nothing that is drawn after it."""
    import torch

    devices = [device] if device.type == "cuda" else []
    return torch.random.fork_rng(devices=devices, enabled=enabled)


def random_state(device: torch.device) -> list[Tensor]:
    """The states of torch's generators: the processor's, and the device's where it has one of its own."""
    import torch

    own = [getattr(torch, device.type).get_rng_state()] if device.type in ("cuda", "mps") else []
    return [torch.get_rng_state(), *own]


def set_random_state(states: list[Tensor], device: torch.device) -> None:
    """Go on from `random_state`; of another device's only the processor's is taken."""
    import torch

    torch.set_rng_state(states[0])
    if len(states) > 1 and device.type in ("cuda", "mps"):
        getattr(torch, device.type).set_rng_state(states[1])


def double(rows: Tensor) -> Tensor:
    """Float64, where they are; of a device that reckons in no more than float32, on the processor."""
    return rows.cpu().double() if rows.device.type == "mps" else rows.double()


def zeros64(rows: int, columns: int, device: torch.device) -> Tensor:
    """Where sums in float64 over rows of a device are gathered."""
    import torch

    return torch.zeros(rows, columns, dtype=torch.float64, device="cpu" if device.type == "mps" else device)


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
