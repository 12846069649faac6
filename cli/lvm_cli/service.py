"""A model as a web service: contexts in, predictions out, as JSON."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import torch
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from torch import Tensor

from lvmcore.device import autocast
from lvmcore.model import LatentVectorModel

MOST = 4096
"""Contexts in one request."""


class Contexts(BaseModel):
    """What is asked: B contexts of C rows of D numbers, oldest row first."""

    contexts: list[list[list[float]]] = Field(min_length=1, max_length=MOST)


class Predictions(BaseModel):
    """What is answered: B vectors of D numbers, each of length 1."""

    model: str
    predictions: list[list[float]]


def service(model: LatentVectorModel, about: dict[str, Any], precision: str) -> FastAPI:
    """The web application.

    Args:
        about: what GET / tells of the model; "model" is its name.
        precision: fp32 or bf16.
    """
    app = FastAPI(title=f"lvm: {about['model']}", version=version("lvmcore"))

    @app.get("/")
    def tell() -> dict[str, Any]:
        """The model: its recipe, the shape that it reads, what it was trained on, its figures."""
        return about

    @app.post("/predict")
    def predict(asked: Contexts) -> Predictions:
        """The vector that follows each context. Rows may have any length; they are scaled to 1, as a corpus is."""
        found = predicted(model, _tensor(asked.contexts, model.shape.context, model.shape.dim), precision)
        return Predictions(model=about["model"], predictions=found.tolist())

    return app


@torch.inference_mode()
def predicted(model: LatentVectorModel, contexts: Tensor, precision: str) -> Tensor:
    """Unit predictions (B, D) of unit rows (B, C, D)."""
    with autocast(precision):
        raw = model(contexts).float()
    norm = raw.norm(dim=-1, keepdim=True)
    if not (norm.isfinite() & (norm > 0)).all():
        raise HTTPException(500, "the model's prediction is no direction: not finite, or 0")
    return raw / norm


def _tensor(contexts: list[list[list[float]]], length: int, dim: int) -> Tensor:
    """Unit rows (B, C, D); what is no such context is refused by number."""
    for number, rows in enumerate(contexts):
        if len(rows) != length:
            raise HTTPException(422, f"context {number} has {len(rows)} rows; this model reads {length}")
        for place, row in enumerate(rows):
            if len(row) != dim:
                raise HTTPException(
                    422, f"row {place} of context {number} has {len(row)} numbers; this model reads {dim}"
                )
    found = torch.tensor(contexts, dtype=torch.float64)
    largest = found.abs().amax(-1, keepdim=True)
    sound = (largest.isfinite() & (largest > 0)).squeeze(-1)
    if not sound.all():
        number, place = (~sound).nonzero()[0].tolist()
        raise HTTPException(422, f"row {place} of context {number} is no direction: not finite, or all 0")
    return torch.nn.functional.normalize(found / largest, dim=-1).float()
