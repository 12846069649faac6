"""What a run would be, without making it: parameters, windows, steps, and about how long it takes here."""

from __future__ import annotations

import time
from collections.abc import Sequence

import attrs
import torch

from lvmcore.data.corpus import Corpus
from lvmcore.device import autocast, resolve
from lvmcore.expression import parse_one
from lvmcore.model import build_model
from lvmcore.registry import Registry
from lvmcore.training.objective import descend
from lvmcore.training.stages import generator_of, prepare
from lvmcore.training.step import Step
from lvmcore.training.validation import ResolvedStage
from lvmcore.variants.variant import Variant

TIMED = 3
"""Steps that are timed, after one that is not."""


@attrs.frozen
class Estimate:
    """A run on paper."""

    parameters: int
    windows: dict[str, int]
    steps: int
    """Of all epochs."""
    seconds: float
    """Of training on this machine, from a few steps of each stage; validation and evaluation come on top."""


def estimate(
    variant: Variant, stages: Sequence[ResolvedStage], corpus: Corpus, registry: Registry, size: str, precision: str
) -> Estimate:
    """Build the model and time a few steps of every stage; nothing is written, and no random stream moves.

    Raises:
        LvmError: whatever training would end with before its first epoch.
    """
    train = corpus.windows("train", variant.context).require("training")
    validation = corpus.windows("val", variant.context).require("validation")
    steps, seconds, parameters, epoch = 0, 0.0, 0, 1
    with torch.random.fork_rng(devices=[]):
        for prepared in prepare(stages, train, 0):
            stage = prepared.stage
            model = build_model(*stage.recipe, corpus.dim, variant.context, registry, size).train()
            model.set_epoch(epoch)
            parameters = model.parameter_count
            optimizer = registry.make("optimizer", parse_one(variant.optimizer))
            descent = optimizer.build(model.parameters(), variant.lr, variant.weight_decay)
            order = prepared.sampler(epoch, generator_of(0, epoch))

            def forward(context: torch.Tensor, model: torch.nn.Module = model) -> torch.Tensor:
                with autocast(resolve(precision)):
                    return model(context).float()

            took = []
            for number in range(TIMED + 1):
                began = time.perf_counter()
                begin = number % prepared.steps * stage.batch_size
                batch = train.take(order[begin : begin + stage.batch_size])
                step = Step(batch=batch, raw=forward(batch.context), epoch=epoch, model=forward)
                descend(prepared.objective(step), model, descent, variant.clip)
                took.append(time.perf_counter() - began)
            # the first step makes what all others use; what else the machine did in between slows some of them
            seconds += min(took[1:]) * prepared.steps * stage.epochs
            steps += prepared.steps * stage.epochs
            epoch += stage.epochs
    return Estimate(parameters, {"train": len(train), "val": len(validation)}, steps, seconds)
