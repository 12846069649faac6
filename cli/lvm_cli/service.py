"""A model as a web service: contexts in, predictions out, as JSON."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import torch
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from torch import Tensor

from lvmcore.errors import LvmError
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

    def _predicted(contexts: list[list[list[float]]]) -> Tensor:
        _require_rows(contexts, model.shape.context, model.shape.dim)
        try:
            return model.predict(torch.tensor(contexts, dtype=torch.float64), precision)
        except LvmError as problem:
            status = 500 if problem.what.startswith("the model") else 422
            raise HTTPException(status, problem.what) from None

    @app.get("/")
    def tell() -> dict[str, Any]:
        """The model: its recipe, the shape that it reads, what it was trained on, its figures."""
        return about

    @app.post("/predict")
    def predict(asked: Contexts) -> Predictions:
        """The vector that follows each context. Rows may have any length; they are scaled to 1, as a corpus is."""
        return Predictions(model=about["model"], predictions=_predicted(asked.contexts).tolist())

    return app


def _require_rows(contexts: list[list[list[float]]], length: int, dim: int) -> None:
    """Refuse by number what is no context of this shape, which no tensor could be made of."""
    for number, rows in enumerate(contexts):
        if len(rows) != length:
            raise HTTPException(422, f"context {number} has {len(rows)} rows; this model reads {length}")
        for place, row in enumerate(rows):
            if len(row) != dim:
                said = f"row {place} of context {number} has {len(row)} numbers; this model reads {dim}"
                raise HTTPException(422, said)
