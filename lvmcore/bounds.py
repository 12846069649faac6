"""Bounds on what may be built: a file that asks for more than it holds is refused before anything is allocated."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.utils._python_dispatch import TorchDispatchMode

FREE = 64 << 20
"""Bytes that whatever is not in the file may have, however small the file is, such as a mask of the context."""


class TooMuchError(Exception):
    """What is being built goes beyond its bounds."""


@attrs.define
class Bounds:
    """How much may be built.

    Args:
        tensors: in all parameters and buffers, also those that a later one replaces.
        modules: in all.
        bytes: of all parameters and buffers together, and of any tensor on the way to them.
    """

    tensors: int
    modules: int
    bytes: int

    @classmethod
    def of_file(cls, tensors: int, bytes: int) -> Bounds:
        """What a file of so many tensors and bytes may ask for: all of it several times, and a little besides."""
        return cls(4 * tensors + 64, 32 * tensors + 512, 4 * bytes + FREE)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """See that what this thread builds stays within the bounds.

        Raises:
            TooMuchError: it does not; nothing more is built.
        """
        left, thread = attrs.evolve(self), threading.get_ident()

        def tensor(_: nn.Module, name: str, held: Tensor | None) -> None:
            if threading.get_ident() == thread and held is not None:
                left.tensors -= 1
                left.bytes -= held.nbytes
                _require(left.tensors >= 0, f"more than {self.tensors:,} tensors")
                _require(left.bytes >= 0, f"more than {self.bytes:,} bytes")

        def module(_: nn.Module, name: str, held: nn.Module | None) -> None:
            if threading.get_ident() == thread and held is not None:
                left.modules -= 1
                _require(left.modules >= 0, f"more than {self.modules:,} modules")

        handles = [
            hooks.register_module_parameter_registration_hook(tensor),
            hooks.register_module_buffer_registration_hook(tensor),
            hooks.register_module_module_registration_hook(module),
        ]
        try:
            with _Watched(self.bytes):
                yield
        finally:
            for handle in handles:
                handle.remove()


class _Watched(TorchDispatchMode):
    """Looks at every tensor that an operation gives."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            _require(found.nbytes <= self.most, f"a tensor of {found.nbytes:,} bytes")
        return found


def _require(within: bool, what: str) -> None:
    if not within:
        raise TooMuchError(what)
