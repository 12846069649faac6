"""Training runs of a second, for tests of the trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lvmcore.data.corpus import Corpus
from lvmcore.listeners import Listeners
from lvmcore.model import LatentVectorModel
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.training.trainer import Conditions, Outcome, Trainer
from lvmcore.training.validation import resolve
from lvmcore.variants.catalogue import default_files, load_catalogue
from lvmcore.variants.variant import Variant

Weights = dict[str, torch.Tensor]


def passes(model: LatentVectorModel, profile: str) -> str:
    return ""


def train(
    variant: Variant,
    corpus: Corpus,
    registry: Registry,
    folder: Path,
    gate: Any = passes,
    listener: Callable[[Trainer], object] | None = None,
    **conditions: Any,
) -> tuple[Outcome, Run, Trainer]:
    """Carry a variant out at toy size; what `listener` makes of the trainer listens to the run's hooks."""
    run = Run.create(folder, variant.name, ["test"])
    listeners = Listeners(registry.plugins.manager)
    trainer = made(variant, corpus, registry, run, gate, listeners, **conditions)
    if listener:
        listeners.add(listener(trainer))
    return trainer.train(), run, trainer


def made(
    variant: Variant,
    corpus: Corpus,
    registry: Registry,
    run: Run,
    gate: Any = passes,
    listeners: Listeners | None = None,
    **conditions: Any,
) -> Trainer:
    """A trainer before its first step."""
    catalogue = load_catalogue(default_files())
    for stage in variant.stages:  # what they ask for is no matter where the test judges by itself
        catalogue.profiles.setdefault(stage.gates or "", ())
    resolved = resolve(variant, registry, catalogue)
    for mistake in resolved.mistakes:
        raise mistake
    chosen = Conditions(**{"size": "toy", **conditions})
    trainer = Trainer(
        variant, resolved.stages, corpus, registry, run, chosen, gate, listeners or Listeners(registry.plugins.manager)
    )
    run.update(recipe={})
    return trainer


def weights(outcome: Outcome) -> Weights:
    assert outcome.model is not None
    return outcome.model.state_dict()


def copied(model: torch.nn.Module) -> Weights:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
