"""What a run would be, without making it: parameters, windows, steps, and about how long it takes here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import attrs
import torch
from torch.optim import Optimizer

from lvmcore.data.corpus import Corpus
from lvmcore.data.windows import Windows
from lvmcore.device import ON_PAPER, autocast, forked, products, resolve
from lvmcore.expression import parse_one
from lvmcore.model import LatentVectorModel, build_model
from lvmcore.registry import Registry
from lvmcore.training.compiled import Compiled
from lvmcore.training.objective import descend, tried
from lvmcore.training.stages import PreparedStage, generator_of, prepare
from lvmcore.training.step import Step
from lvmcore.training.validation import ResolvedStage
from lvmcore.variants.variant import Variant

TIMED = 3
"""Steps that are timed, after one that is not."""


@attrs.frozen
class Estimate:
    """A run on paper."""

    parameters: int
    memory: int
    """Bytes of weights, gradients and what the optimizer keeps of them."""
    windows: dict[str, int]
    steps: int
    """Of all epochs."""
    seconds: float | None
    """Of training on this device, from a few steps of each stage; validation and evaluation come on top.

    None on paper.
    """


def estimate(
    variant: Variant,
    stages: Sequence[ResolvedStage],
    corpus: Corpus,
    registry: Registry,
    size: str,
    precision: str,
    device: str = "cpu",
    room: int | None = None,
    compile: bool = False,
) -> Estimate:
    """Build the model and time a few steps of every stage; nothing is written, and no random stream moves.

    Args:
        device: where; on paper the model takes no memory, and nothing is timed.
        room: bytes that the corpus's rows may take there.
        compile: whether the steps that are timed run through torch.compile.

    Raises:
        LvmError: whatever training would end with before its first epoch.
    """
    corpus = corpus if device == ON_PAPER else corpus.on(device, room)
    train = corpus.windows("train", variant.context).require("training")
    validation = corpus.windows("val", variant.context).require("validation")
    steps, epoch, timed = 0, 1, []
    chosen = precision if device == ON_PAPER else resolve(precision, device)
    parameters = memory = 0
    with forked(torch.device(device)):
        for prepared in prepare(stages, train, 0):
            stage = prepared.stage
            with torch.device(device if device == ON_PAPER else "cpu"):
                model = build_model(*stage.recipe, corpus.dim, variant.context, registry, size)
            parameters = model.parameter_count
            optimizer = registry.make("optimizer", parse_one(variant.optimizer))
            memory = parameters * 4 * (2 + _kept(optimizer))
            if device != ON_PAPER:
                model.to(device).train().set_epoch(epoch)
                descent = optimizer.build(model.trained(), variant.lr, variant.weight_decay)
                compiled = Compiled.of(model, stage.batch_size, chosen, corpus.device) if compile else None
                took = _step_seconds(variant, prepared, train, model, descent, epoch, chosen, compiled)
                timed.append(took * prepared.steps * stage.epochs)
            steps += prepared.steps * stage.epochs
            epoch += stage.epochs
    counts = {"train": len(train), "val": len(validation)}
    return Estimate(parameters, memory, counts, steps, sum(timed) if timed else None)


def _step_seconds(
    variant: Variant,
    prepared: PreparedStage,
    train: Windows,
    model: LatentVectorModel,
    descent: Optimizer,
    epoch: int,
    precision: str,
    compiled: Compiled | None,
) -> float:
    """Seconds of a step. The first makes what all others use; what else the machine does slows some of them."""
    order, size, kind = prepared.sampler(epoch, generator_of(0, epoch)), prepared.stage.batch_size, model.device.type

    def forward(context: torch.Tensor) -> torch.Tensor:
        with autocast(precision, kind):
            return (compiled or model)(context).float()

    took = []
    for number in range(TIMED + 1):
        began = time.perf_counter()
        begin = number % prepared.steps * size
        batch = train.take(order[begin : begin + size])
        step = Step(batch=batch, raw=forward(batch.context), epoch=epoch, model=forward)
        with products(precision, kind):
            norm, _ = descend(prepared.objective(step), model, descent, variant.clip)
        norm.item()  # which waits until it is done
        took.append(time.perf_counter() - began)
    return min(took[1:])


def _kept(optimizer: Any) -> int:
    """How many numbers an optimizer keeps of every weight, as its first step shows."""
    trial, weight = tried(optimizer)
    return sum(torch.is_tensor(held) and held.shape == weight.shape for held in trial.state[weight].values())
