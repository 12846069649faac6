"""A device that is none: its tensors are kept on the processor, and refuse to meet those that are the processor's own.

What strays from one device to the other, which on a machine with a GPU is an error or a wait, is found without one.
The pretended device answers to the name `meta`, which every torch knows and which needs no initialisation.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

DEVICE = torch.device("meta")
aten = torch.ops.aten

COPIES = (aten._to_copy.default, aten.copy_.default)
"""What may go from one device to the other."""
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "equal")
"""What the processor waits for: a number, or a shape that depends on numbers."""


class StrayError(AssertionError):
    """A tensor of the processor met one of the device."""


class Pretended(Tensor):
    """A tensor of the pretended device."""

    held: Tensor
    is_meta = False  # pyright: ignore[reportAssignmentType]

    @staticmethod
    def __new__(cls, held: Tensor) -> Pretended:
        made = Tensor._make_wrapper_subclass(  # pyright: ignore[reportAttributeAccessIssue]
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
            requires_grad=held.requires_grad,
        )
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return f"Pretended({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return carry_out(func, args, kwargs or {}, None)


class Pretend(TorchDispatchMode):
    """While it lasts, the device `meta` is the pretended one; counts what the processor waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with self:  # in inference mode operations arrive that are made of others
            done = func.decompose(*args, **kwargs or {})
        return carry_out(func, args, kwargs or {}, self.waits) if done is NotImplemented else done


def carry_out(func: Any, args: Any, kwargs: dict[str, Any], waits: Counter[str] | None) -> Any:
    """An operation on what the tensors hold, whose result is where it would be."""
    tensors = [one for one in tree_iter((args, kwargs)) if isinstance(one, Tensor)]
    there = [isinstance(one, Pretended) for one in tensors]
    strays = [one for one in tensors if not isinstance(one, Pretended) and one.dim()]
    if any(there) and strays and func not in COPIES:
        raise StrayError(
            f"{func}: {[tuple(one.shape) for one in strays]} of the processor, beside tensors of the device"
        )
    device = kwargs.get("device")
    device = None if device is None else torch.device(device)
    to_device = any(there) if device is None else device == DEVICE
    if waits is not None and any(there):
        leaves = func is aten._to_copy.default and not to_device
        if leaves or func._schema.name.removeprefix("aten::") in WAITS:
            waits[func._schema.name] += 1
    own = {**kwargs, "device": torch.device("cpu")} if device is not None else kwargs
    held_args, held = (tree_map(_held, part) for part in (args, own))
    done = func(*held_args, **held)
    first = func._schema.arguments[0].alias_info if func._schema.arguments else None
    if first is not None and first.is_write:  # what is changed in place stays what and where it is
        return args[0] if func._schema.returns else None
    return tree_map(lambda one: Pretended(one) if isinstance(one, Tensor) and to_device else one, done)


def _held(one: Any) -> Any:
    return one.held if isinstance(one, Pretended) else one
