"""The contexts of a request as unit rows, from each of the three forms in which a body may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import attrs
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from lvmcore.errors import LvmError
from lvmcore.model import Shape, unit_rows
from lvmcore.serving.forms.json_contexts import json_contexts
from lvmcore.serving.refusal import Refusal
from lvmcore.turns import Turns

JSON, SAFETENSORS, OCTETS = "application/json", "application/x-safetensors", "application/octet-stream"
FORMS = (JSON, SAFETENSORS, OCTETS)
TYPES = {"float16": torch.float16, "float32": torch.float32}
"""Of numbers in application/octet-stream, little-endian."""

HEADER = 65_536
"""Bytes of a safetensors header, which here tells of one tensor."""
BLOCK = 1 << 15
"""Numbers that are scaled at a time: torch does so few in the thread that asks."""


@attrs.frozen
class Form:
    """The header content-type: one of FORMS, and what it says of application/octet-stream."""

    kind: str
    said: Mapping[str, str]

    @classmethod
    def of(cls, header: str) -> Form:
        """`application/octet-stream;dtype=float16;shape=16,5,384`.

        Raises:
            Refusal: 415, another one.
        """
        kind, *rest = (part.strip() for part in header.split(";"))
        if kind.lower() not in FORMS:
            raise Refusal(415, "the body has another form", where="the header content-type", expected=", ".join(FORMS))
        pairs = (part.partition("=") for part in rest)
        return cls(kind.lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs})


def contexts(body: bytearray, form: Form, shape: Shape, most: int) -> Turns[Tensor]:
    """The contexts of a body, (B, C, D) float32, every row of length 1.

    Args:
        most: contexts.

    Raises:
        Refusal: 400 or 422, with the place at fault.
    """
    if form.kind == JSON:
        return (yield from _from_json(body, shape, most))
    whole = _octets(body, form.said) if form.kind == OCTETS else _safetensors(body)
    _require_shape(whole, shape)
    _require_few(len(whole), most)
    found, count = torch.empty(whole.shape), 0
    for block in _blocks(whole):
        found[count : count + len(block)] = _scaled(block, count)
        count += len(block)
        yield
    return found


def _from_json(body: bytearray, shape: Shape, most: int) -> Turns[Tensor]:
    found, count = [], 0
    for part in json_contexts(body, shape.context, shape.dim):
        _require_few(count + len(part), most)
        for block in _blocks(part):
            found.append(_scaled(block, count))
            count += len(block)
            yield
    return torch.cat(found)


def _blocks(part: Tensor) -> Iterator[Tensor]:
    yield from part.split(max(1, BLOCK // part[0].numel()))


def _scaled(rows: Tensor, first: int) -> Tensor:
    try:
        return unit_rows(rows, first)
    except LvmError as problem:
        raise Refusal(422, problem.what, expected="rows of finite numbers, not all of them 0") from None


def _octets(body: bytearray, said: Mapping[str, str]) -> Tensor:
    where, expected = "the header content-type", f"{OCTETS};dtype=float16;shape=B,C,D, or dtype=float32"
    if (dtype := TYPES.get(said.get("dtype", ""))) is None:
        raise Refusal(422, "the numbers are of no type that is said", where=where, expected=expected)
    if not re.fullmatch(r"[1-9]\d{0,8}(,[1-9]\d{0,8}){2}", sizes := said.get("shape", ""), re.ASCII):
        raise Refusal(422, "the numbers are of no shape that is said", where=where, expected=expected)
    batch, length, dim = map(int, sizes.split(","))
    if len(body) != (expected := batch * length * dim * dtype.itemsize):
        what = f"the body has {len(body):,} bytes"
        raise Refusal(422, what, expected=f"{expected:,} bytes, by the dtype and shape of the header")
    return torch.frombuffer(body, dtype=dtype).view(batch, length, dim)


def _safetensors(body: bytearray) -> Tensor:
    if int.from_bytes(body[:8], "little") > HEADER:
        raise Refusal(400, "the body is no safetensors file with a short header", expected="one tensor, 'contexts'")
    try:
        held = safetensors.torch.load(bytes(body))
    # types that this torch doesn't know are KeyErrors, and sizes that overflow are torch's own
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError, AttributeError):
        raise Refusal(400, "the body is no safetensors file", expected="one tensor, 'contexts'") from None
    if held.keys() != {"contexts"}:
        raise Refusal(422, "the file has not the one tensor 'contexts'", expected="one tensor, 'contexts'")
    if not held["contexts"].dtype.is_floating_point:
        raise Refusal(422, "the tensor is not of a floating type", where="contexts", expected="F16, BF16, F32 or F64")
    return held["contexts"]


def _require_shape(whole: Tensor, shape: Shape) -> None:
    expected = f"(B, {shape.context}, {shape.dim}), B at least 1"
    if whole.ndim != 3 or whole.shape[1:] != (shape.context, shape.dim) or not len(whole):
        # of what a client sent, a shape is numbers alone, and few
        raise Refusal(422, f"contexts have the shape {tuple(whole.shape)[:8]}", where="contexts", expected=expected)


def _require_few(count: int, most: int) -> None:
    if count > most:
        what = f"there are more than {most:,} contexts"
        fix = "several requests" if most > 1 else "fewer steps"
        raise Refusal(422, what, where="contexts", expected=f"at most {most:,} with these steps", fix=fix)
