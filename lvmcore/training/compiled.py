"""A model whose steps run through torch.compile."""

from __future__ import annotations

import warnings
from typing import Self

import torch
from torch import Tensor

from lvmcore.device import autocast, forked, products
from lvmcore.errors import LvmError, MachineError, because, of_machine
from lvmcore.model import LatentVectorModel

BACKEND = "inductor"
"""torch's own compiler: C++ on the processor, Triton on a GPU."""


class Compiled:
    """A model in training: its architecture compiled for batches of one size, and as it is for all others.

    An epoch's last batch is smaller: compiled as well, it would take as long as all full ones, or make these slower.
    The inputs are not compiled, which draw and change with the epoch. Weights and their names are the model's own.
    """

    def __init__(self, model: LatentVectorModel, batch_size: int) -> None:
        self.model, self.batch_size = model, batch_size
        self._architecture = torch.compile(model.architecture, dynamic=False, backend=BACKEND)

    @classmethod
    def of(cls, model: LatentVectorModel, batch_size: int, precision: str, device: torch.device) -> Self:
        """A model in training, compiled forward and backward on rows that nothing learns from.

        Raises:
            MachineError: the compiler fails, or there is none.
        """
        torch.compiler.reset()  # it takes only so many of a kind, and then none without a word
        kept = [(held, held.clone()) for held in model.train().buffers()]
        shape = (batch_size, model.shape.context, model.shape.dim)
        try:
            with forked(device), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "TensorFloat32 tensor cores")  # which are asked for, or not
                compiled = cls(model, batch_size)
                with autocast(precision, device.type):
                    raw = compiled(torch.randn(shape).to(device))
                with products(precision, device.type):
                    raw.float().sum().backward()
        except Exception as problem:
            if isinstance(problem, LvmError) or of_machine(problem):
                raise
            why, _, _ = because(problem).partition(" Set TORCHDYNAMO")  # advice for whoever works on torch
            raise MachineError(
                f"the model can't be compiled: {why}",
                where=f"'{model.recipe.arch}'",
                expected="what torch.compile needs: a C++ compiler such as g++, and Triton for a GPU",
                fix="leave --compile out",
            ) from problem
        finally:
            model.zero_grad()
            for held, was in kept:
                held.copy_(was)
        return compiled

    def __call__(self, context: Tensor) -> Tensor:
        """Rows (B, C, D) → raw predictions (B, D)."""
        return self.model(context, self._architecture if len(context) == self.batch_size else None)
