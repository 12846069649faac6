"""A model as one graph that needs neither lvm nor, in ONNX, torch."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lvmcore.errors import LvmError
from lvmcore.model import LatentVectorModel
from lvmcore.requirements import needs

TOLERANCE = 1e-5
"""How far a graph may be from the model in any channel of a unit vector."""
BATCHES = (1, 7)
"""Sizes that a graph is tried with; neither is the one that it is drawn with."""
OPSET = 18
"""Of ONNX; that of onnxruntime 1.14 and later."""


class Unit(nn.Module):
    """context (B, C, D) of any length → the unit prediction (B, D), as `model.predict`."""

    def __init__(self, model: LatentVectorModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, context: Tensor) -> Tensor:
        return nn.functional.normalize(self.model(nn.functional.normalize(context, dim=-1)), dim=-1)


def write_program(model: LatentVectorModel, path: Path) -> None:
    """Write a program of `torch.export`: `torch.export.load("model.pt2").module()(context)`.

    Raises:
        LvmError: the model cannot be drawn as a graph, or the graph is not the model.
    """
    with _quiet("torch.export", model):
        program = _drawn(model)
        torch.export.save(program, path)
        again = torch.export.load(path).module()
    require_same(model, again, "torch.export", path)


def write_onnx(model: LatentVectorModel, path: Path) -> None:
    """Write a graph in ONNX with the input `context` and the output `prediction`.

    Raises:
        LvmError: the extra is missing, the model cannot be drawn as a graph, or the graph is not the model.
    """
    _, _, runtime = (needs(library, "onnx") for library in ("onnx", "onnxscript", "onnxruntime"))
    with _quiet("ONNX", model):
        torch.onnx.export(
            _drawn(model),
            dynamo=True,
            input_names=["context"],
            output_names=["prediction"],
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        ).save(path)  # pyright: ignore[reportOptionalMemberAccess]
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    require_same(
        model, lambda context: torch.from_numpy(session.run(None, {"context": context.numpy()})[0]), "ONNX", path
    )


def require_same(model: LatentVectorModel, graph: Callable[[Tensor], Tensor], form: str, path: Path) -> None:
    """See that a graph gives what the model gives, for batches of several sizes.

    Raises:
        LvmError: it does not.
    """
    generator = torch.Generator().manual_seed(0)
    for size in BATCHES:
        context = torch.randn(size, model.shape.context, model.shape.dim, generator=generator)
        with torch.no_grad():
            apart = (graph(context) - model.predict(context)).abs().max().item()
        if not apart <= TOLERANCE:
            raise LvmError(
                f"the graph in {form} is not the model: predictions are up to {apart:.1e} apart",
                where=f"{path}, a batch of {size}",
                expected=f"at most {TOLERANCE:.0e}",
                fix="another --format",
            )


def _drawn(model: LatentVectorModel) -> Any:
    example = torch.randn(3, model.shape.context, model.shape.dim, generator=torch.Generator().manual_seed(0))
    batch = {"context": {0: torch.export.Dim("batch", min=1)}}
    with torch.no_grad():
        return torch.export.export(Unit(model.eval()), (example,), dynamic_shapes=batch)


@contextlib.contextmanager
def _quiet(form: str, model: LatentVectorModel) -> Iterator[None]:
    """Without what the tracers print; their own errors as one of ours."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except LvmError:
        raise
    except Exception as problem:  # whatever an architecture does that a graph can't
        said = next((line for line in str(problem).splitlines() if line.strip()), type(problem).__name__)
        raise LvmError(
            f"the model cannot be drawn as a graph of {form}: {said[:200]}",
            where=model.recipe.arch,
            fix="lvm --debug …",
        ) from problem
    finally:
        logging.disable(before)
