"""Contexts in a JSON document, parsed in pieces: a parser holds the interpreter, and a piece takes milliseconds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import torch
from torch import Tensor

from lvmcore.serving.refusal import Refusal

PIECE = 128_000
"""Bytes that are parsed at a time, and a context more."""
NUMBER = 128
"""Bytes that a number with the white space about it takes at most, on average over a context."""

_BETWEEN = re.compile(rb"\][ \t\r\n]*\][ \t\r\n]*,[ \t\r\n]*\[[ \t\r\n]*\[")
_OPENED, _CLOSED = b'{"contexts":[[[', b"]]]}"


def json_contexts(body: bytearray, length: int, dim: int) -> Iterator[Tensor]:
    """The contexts of `{"contexts": …}` in order, some at a time: (n, C, D) float64.

    Raises:
        Refusal: 400 no JSON, 422 another document; with the context, row and number, never with what stands there.
    """
    count = 0
    for begin, piece in _pieces(body, NUMBER * length * dim + 4096):
        try:
            held = orjson.loads(piece)
        except orjson.JSONDecodeError as problem:
            place = min(begin + problem.pos, len(body))
            raise Refusal(
                400, "the body is no JSON", where=f"at or after byte {place:,}", expected=_form(length, dim)
            ) from None
        contexts = _contexts(held, count, length, dim)
        yield torch.from_numpy(np.array(contexts, dtype=np.float64))
        count += len(contexts)


def _pieces(body: bytearray, longest: int) -> Iterator[tuple[int, bytes]]:
    """The document cut between contexts, each piece a document of its own, with the byte at which it begins.

    A cut at `]],[[` that is not between two contexts leaves a piece that is none either: it is refused, as the whole
    would have been.
    """
    begin, opened = 0, b""
    while len(body) - begin > PIECE:
        cut = _BETWEEN.search(body, begin + PIECE, begin + PIECE + longest)
        if cut is None:
            break
        yield begin - len(opened), opened + body[begin : cut.start()] + _CLOSED
        begin, opened = cut.end(), _OPENED
    if len(body) - begin > PIECE + longest:
        raise Refusal(
            422,
            f"no context ends within {PIECE + longest:,} bytes",
            where=f"after byte {begin:,}",
            expected="less white space, or other numbers of numbers",
        )
    yield begin - len(opened), opened + bytes(memoryview(body)[begin:])


def _contexts(held: Any, first: int, length: int, dim: int) -> list[list[list[float]]]:
    """Those of a document, if it is of the one form."""
    if not isinstance(held, dict) or held.keys() != {"contexts"}:
        fix = "steps, count and others stand in the address, as in /rollout?steps=3"
        raise Refusal(422, "the document has not the one key 'contexts'", expected=_form(length, dim), fix=fix)
    contexts = held["contexts"]
    if not isinstance(contexts, list) or not contexts:
        raise Refusal(422, "contexts is no list, or empty", where="contexts", expected=_form(length, dim))
    for number, rows in enumerate(contexts, first):
        if not isinstance(rows, list) or len(rows) != length:
            has = f"has {len(rows)} rows" if isinstance(rows, list) else "is no list"
            raise _misfit(f"context {number} {has}; this model reads {length}", f"contexts[{number}]", length, dim)
        for place, row in enumerate(rows):
            if not isinstance(row, list) or len(row) != dim:
                has = f"has {len(row)} numbers" if isinstance(row, list) else "is no list"
                said = f"row {place} of context {number} {has}; this model reads {dim}"
                raise _misfit(said, f"contexts[{number}][{place}]", length, dim)
            if set(map(type, row)) - {int, float}:
                at = next(at for at, one in enumerate(row) if type(one) not in (int, float))
                said = f"what stands at place {at} of row {place} of context {number} is no number"
                raise _misfit(said, f"contexts[{number}][{place}][{at}]", length, dim)
    return contexts


def _misfit(what: str, where: str, length: int, dim: int) -> Refusal:
    return Refusal(422, what, where=where, expected=_form(length, dim))


def _form(length: int, dim: int) -> str:
    return f'{{"contexts": […]}}, each context {length} rows of {dim} numbers, the oldest row first'
