"""Nested values as one safetensors file: tensors lie flat in it, everything else is JSON in its header."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from torch import Tensor

from lvmcore.errors import LvmError
from lvmcore.files import whole_file
from lvmcore.records import read_header

SCHEMA = 1
LARGEST = 1 << 26
"""Bytes of the header at most."""
DEPTH = 64
"""Levels of nesting at most; a value that holds itself has more."""

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_SERIES: dict[str, type] = {kind.__name__: kind for kind in (tuple, set, frozenset)}
_TABLES: dict[str, type] = {kind.__name__: kind for kind in (dict, OrderedDict, Counter)}
_UNREADABLE = (
    safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError
)  # fmt: skip
_TAG = "$"
"""A JSON object whose only key begins so stands for a value that JSON lacks."""


def pack(tree: Any, name: str) -> tuple[Any, dict[str, Tensor]]:
    """A value as plain JSON, and the tensors that stand in it by where they stand.

    Args:
        name: what the value is, for errors and as the beginning of the tensors' names.

    Raises:
        LvmError: something in it that can't be kept, and where.
    """
    packing = _Packing()
    return packing.value(tree, (name,)), packing.tensors


def unpack(plain: Any, tensors: dict[str, Tensor]) -> Any:
    """What was packed."""
    if isinstance(plain, list):
        return [unpack(item, tensors) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if len(plain) != 1 or not next(iter(plain)).startswith(_TAG):
        return {key: unpack(item, tensors) for key, item in plain.items()}
    ((tag, held),) = plain.items()
    match tag.removeprefix(_TAG):
        case "tensor":
            return tensors[held]
        case "array":
            return tensors[held].numpy()
        case "bytes":
            return tensors[held].numpy().tobytes()
        case "float":
            return float(held)
        case "dtype":
            if not isinstance(kind := getattr(torch, held), torch.dtype):
                raise ValueError(f"{held} is no type of numbers")
            return kind
        case kind if kind in _SERIES:
            return _SERIES[kind](unpack(item, tensors) for item in held)
        case kind:
            return _TABLES[kind]({unpack(key, tensors): unpack(item, tensors) for key, item in held})


def write_tree(path: Path, kind: str, tree: dict[str, Any]) -> None:
    """Write a value to one file, whole or not at all; no second copy of its tensors is made.

    Raises:
        LvmError: something in it can't be kept.
        MachineError: the disk is full, or the folder cannot be written.
    """
    plain, tensors = pack(tree, kind)
    about = json.dumps({"schema": SCHEMA, "kind": kind, "tree": plain})
    header: dict[str, Any] = {"__metadata__": {"lvm": about}}
    end = 0
    # wide numbers first, so that each is aligned
    for name, tensor in (ordered := sorted(tensors.items(), key=lambda held: -held[1].element_size())):
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with whole_file(path, len(text) + 8 + end) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, tensor in ordered:
            file.write(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)


def read_tree(path: Path, kind: str) -> dict[str, Any]:
    """What was written.

    Raises:
        LvmError: missing, truncated, of another kind, or of a newer lvm.
    """
    try:
        header = read_header(path, LARGEST, 4 * DEPTH)  # a value of some kinds takes several levels
        about = header.about
        with safetensors.safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name).clone() for name in header.tensors}
        if not isinstance(about, dict) or about.get("kind") != kind:
            raise LvmError(f"the file is no {kind}", where=str(path))
        if about["schema"] > SCHEMA:
            raise LvmError("the file was written by a newer lvm", where=str(path), fix="pip install -U lvmcore")
        return unpack(about["tree"], tensors)
    except _UNREADABLE as problem:
        raise LvmError(f"the file cannot be read; it may be damaged: {problem}", where=str(path)) from None


class _Packing:
    """One value under way into JSON and tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}

    def value(self, value: Any, path: tuple[str, ...]) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if len(path) > DEPTH:
            raise _unsavable("what holds itself, or is nested too deep", path[:3])
        if isinstance(value, np.generic):
            return self.value(value.item(), path)
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if isinstance(value, Tensor):
            return {"$tensor": self._keep(value, path)}
        if kind is np.ndarray and value.dtype.kind in "biuf":
            return {"$array": self._keep(torch.from_numpy(np.ascontiguousarray(value)), path)}
        if kind is bytes:
            return {"$bytes": self._keep(torch.from_numpy(np.frombuffer(value, np.uint8).copy()), path)}
        if kind is torch.dtype:
            return {"$dtype": str(value).removeprefix("torch.")}
        if kind is list:
            return self._items(value, path)
        if kind in (*_SERIES.values(), torch.Size):
            series = sorted(value, key=repr) if kind in (set, frozenset) else value
            return {f"${'tuple' if kind is torch.Size else kind.__name__}": self._items(series, path)}
        if kind in _TABLES.values():
            return self._table(value, path)
        raise _unsavable(f"a {kind.__name__}", path)

    def _items(self, values: Any, path: tuple[str, ...]) -> list[Any]:
        return [self.value(item, (*path, str(i))) for i, item in enumerate(values)]

    def _table(self, table: Any, path: tuple[str, ...]) -> Any:
        held = [(key, self.value(item, (*path, str(key)))) for key, item in table.items()]
        if type(table) is dict and all(type(key) is str and not key.startswith(_TAG) for key in table):
            return dict(held)
        keys = [self.value(key, (*path, "a key")) for key in table]
        return {f"${type(table).__name__}": [[key, item] for key, (_, item) in zip(keys, held, strict=True)]}

    def _keep(self, tensor: Tensor, path: tuple[str, ...]) -> str:
        if tensor.layout is not torch.strided or tensor.is_meta or tensor.dtype not in _DTYPES:
            raise _unsavable(f"a tensor of {tensor.dtype}, {tensor.layout}, on {tensor.device}", path)
        name = "/".join(path).encode("ascii", "backslashreplace").decode()  # half a character may stand in a key
        while name in self.tensors:  # as of the keys 1 and "1"
            name += "'"
        self.tensors[name] = tensor.detach()
        return name


def _unsavable(what: str, path: tuple[str, ...]) -> LvmError:
    return LvmError(
        f"{what} cannot be saved",
        where="/".join(path),
        expected="numbers, texts, tensors, arrays of numbers, and lists, tuples, sets and dicts of these",
    )
