"""Answers in each form, made in pieces, so that a long one neither holds up others nor lies in memory as text."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import safetensors.torch
from starlette.responses import Response, StreamingResponse
from torch import Tensor

from lvmcore.serving.forms.contexts import FORMS, JSON, OCTETS
from lvmcore.serving.forms.workers import Worker
from lvmcore.serving.refusal import Refusal

PIECE = 1 << 15
"""Numbers that are written at a time."""


def form_of_answer(accept: str, asked: str) -> str:
    """The form that a client wants, by its header; that of its request where it takes anything.

    Raises:
        Refusal: 406, it wants none of them.
    """
    for wanted in accept.lower().split(",") if accept else ["*/*"]:
        kind = wanted.partition(";")[0].strip()
        if kind in FORMS:
            return kind
        if kind in ("*/*", "application/*"):
            return asked
    raise Refusal(406, "no answer has the form asked for", where="the header accept", expected=", ".join(FORMS))


def answered(found: Tensor, form: str, model: str, worker: Worker) -> Response:
    """Predictions (B, …, D) as a response; by `application/octet-stream` float32, the shape in its type."""
    kind = f"{OCTETS};dtype=float32;shape={','.join(map(str, found.shape))}" if form == OCTETS else form
    pieces = _pieces(found.contiguous(), form, model)
    if found.numel() <= PIECE:
        return Response(b"".join(pieces), media_type=kind)
    return StreamingResponse(worker.each(pieces), media_type=kind)


def _pieces(found: Tensor, form: str, model: str) -> Iterator[bytes]:
    if form not in (JSON, OCTETS):
        yield safetensors.torch.save({"predictions": found}, {"model": model})
        return
    parts = found.split(max(1, PIECE // found[0].numel()))
    if form == OCTETS:
        yield from (part.numpy().astype("<f4", copy=False).tobytes() for part in parts)
        return
    opened = b'{"model":' + orjson.dumps(model) + b',"predictions":['
    for part in parts:
        yield opened + orjson.dumps(part.numpy(), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        opened = b","
    yield b"]}"
