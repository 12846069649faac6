"""The addresses of a server as an OpenAPI document."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

from lvmcore.model import Shape
from lvmcore.serving.forms.contexts import JSON, OCTETS, SAFETENSORS
from lvmcore.serving.limits import Limits

REFUSALS = {
    "400": "The body is not of the form that it says.",
    "401": "The token is missing, or another one.",
    "404": "There is nothing at this address, or no corpus to look into.",
    "405": "The address takes another method.",
    "406": "No answer has the form asked for.",
    "408": "The request came too slowly.",
    "413": "The body is too long.",
    "415": "The body has a form that is not read, or is compressed.",
    "421": "The request names a host that is not this server.",
    "422": "The contexts, or what stands in the address, are not what the model reads.",
    "500": "The model's prediction is no direction, or the server is at fault.",
    "503": "Too much waits already; the header retry-after says when to come again.",
}
"""Statuses of refusals, each with what it means."""
_ASKED = tuple(REFUSALS)
_TOLD = ("401", "421", "500")


def description(name: str, shape: Shape, limits: Limits, *, corpus: bool, token: bool) -> dict[str, Any]:
    """The OpenAPI document of a server.

    Args:
        corpus: whether there is one to look into.
        token: whether clients must show one.
    """
    steps = _parameter(
        "steps", 1, limits.predictions, f"Steps ahead; contexts times steps are at most {limits.predictions:,}."
    )
    few = _parameter(
        "steps", 1, limits.searched, f"Steps ahead; contexts times steps are at most {limits.searched}.", 1
    )
    count = _parameter("count", 1, limits.neighbours, "Chunks of each step.", 5)
    paths = {
        "/predict": {
            "post": _asked(
                "The vector that follows each context.",
                [],
                _predictions(shape, 2),
                _contexts(shape, limits.predictions),
            )
        },
        "/rollout": {
            "post": _asked(
                "Several steps ahead, each prediction fed back.",
                [steps],
                _predictions(shape, 3),
                _contexts(shape, limits.predictions),
            )
        },
        "/nearest": {
            "post": _asked(
                "The chunks of the corpus that are nearest to each step ahead; those of the context are left out.",
                [few, count],
                _NEAREST,
                _contexts(shape, limits.searched),
            )
        },
        "/": {
            "get": _told("The model: its recipe, shape, corpus and figures.", {JSON: {"schema": {"type": "object"}}})
        },
        "/health": {"get": _told("That the server lives; needs no token.", {JSON: {"schema": {"type": "object"}}})},
        "/metrics": {"get": _told("Counts for Prometheus.", {"text/plain": {"schema": {"type": "string"}}})},
        "/openapi.json": {"get": _told("This document.", {JSON: {"schema": {"type": "object"}}})},
        "/docs": {"get": _told("This document as a page.", {"text/html": {"schema": {"type": "string"}}})},
    }
    if not corpus:
        del paths["/nearest"]
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": f"lvm: {name}", "version": version("lvmcore")},
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "responses": {
                status: {"description": said, "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
                for status, said in REFUSALS.items()
            },
        },
    }
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        paths["/health"]["get"]["security"] = []
    return document


_TEXT = {"type": ["string", "null"]}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["what", "where", "expected", "try"],
            "properties": {"what": {"type": "string"}, "where": _TEXT, "expected": _TEXT, "try": _TEXT},
        }
    },
}
_NEIGHBOUR = {
    "type": "object",
    "required": ["row", "cosine", "article", "title", "chunk", "text"],
    "properties": {
        "row": {"type": "integer"},
        "cosine": {"type": "number"},
        "article": {"type": "integer"},
        "title": {"type": "string"},
        "chunk": {"type": "integer"},
        "text": _TEXT,
    },
}


def _array(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


_NEAREST = {
    JSON: {
        "schema": {
            "type": "object",
            "required": ["model", "corpus", "nearest"],
            "properties": {
                "model": {"type": "string"},
                "corpus": {"type": "string"},
                "nearest": _array(_array(_array(_NEIGHBOUR))),
            },
        }
    }
}


def _parameter(name: str, least: int, most: int, said: str, default: int | None = None) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": least, "maximum": most}
    if default is not None:
        schema["default"] = default
    return {"name": name, "in": "query", "required": default is None, "description": said, "schema": schema}


def _told(said: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"summary": said, "responses": {"200": {"description": "It.", "content": content}, **_refusals(_TOLD)}}


def _asked(
    said: str, parameters: list[dict[str, Any]], content: dict[str, Any], asked: dict[str, Any]
) -> dict[str, Any]:
    return {
        "summary": said,
        "parameters": parameters,
        "requestBody": {"required": True, "content": asked},
        "responses": {"200": {"description": "It.", "content": content}, **_refusals(_ASKED)},
    }


def _refusals(statuses: tuple[str, ...]) -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _contexts(shape: Shape, most: int) -> dict[str, Any]:
    number = {"type": "number", "minimum": -sys.float_info.max, "maximum": sys.float_info.max}
    row = _array(number, minItems=shape.dim, maxItems=shape.dim, contains={"not": {"const": 0}})
    rows = _array(row, minItems=shape.context, maxItems=shape.context)
    of_json = {
        "type": "object",
        "required": ["contexts"],
        "additionalProperties": False,
        "properties": {"contexts": _array(rows, minItems=1, maxItems=most)},
        "description": f"Contexts of {shape.context} rows of {shape.dim} numbers, the oldest row first. Rows may have "
        "any length but 0.",
    }
    of_octets = (
        f"Numbers, little-endian, their type and shape said in the header: {OCTETS};dtype=float16;shape=B,C,D, or "
    )
    return {
        JSON: {"schema": of_json},
        SAFETENSORS: {"schema": {**_BYTES, "description": "One tensor, 'contexts', (B, C, D): F16, BF16, F32 or F64."}},
        OCTETS: {"schema": {**_BYTES, "description": f"{of_octets}dtype=float32."}},
    }


_BYTES = {"type": "string", "format": "binary"}


def _predictions(shape: Shape, depth: int) -> dict[str, Any]:
    found = _array({"type": "number"}, minItems=shape.dim, maxItems=shape.dim)
    for _ in range(depth - 1):
        found = _array(found)
    named = {"model": {"type": "string"}, "predictions": found}
    letters = "(B, D)" if depth == 2 else "(B, steps, D)"
    said = f"{letters}, each of length 1"
    return {
        JSON: {"schema": {"type": "object", "required": list(named), "properties": named, "description": f"{said}."}},
        SAFETENSORS: {"schema": {**_BYTES, "description": f"One tensor, 'predictions', {said}: F32."}},
        OCTETS: {"schema": {**_BYTES, "description": f"{said}; the header says dtype=float32 and the shape."}},
    }
