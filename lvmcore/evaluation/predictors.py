"""What can be evaluated: trained models, and the yardsticks that need no training."""

from __future__ import annotations

import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.device import autocast
from lvmcore.evaluation.measurement import Predictor
from lvmcore.expression import parse_one
from lvmcore.registry import Registered, Registry

FILTER = "filter"
"""The yardstick that gain and direction are measured against."""
ORACLE = "oracle"


def predictor_of_model(name: str, model: torch.nn.Module, precision: str = "fp32") -> Predictor:
    """A trained model; call it with `model.eval()` done."""

    def predict(context: Tensor, _: Tensor) -> Tensor:
        with autocast(precision):
            return model(context)

    return Predictor(name, predict)


def yardstick(text: str, corpus: Corpus, registry: Registry, context: int = 5) -> Predictor:
    """A predictor that needs no training, by name or expression.

    Raises:
        LvmError: unknown, or it has nothing to be fit on.
    """
    term = parse_one(text)
    component = registry.make("predictor", term)
    built = component.build(corpus, context)
    name = registry.key(registry.find("predictor", term))
    if getattr(component, "sees_target", False):
        return Predictor(name, built, sees_target=True)
    return Predictor(name, lambda rows, _: built(rows))


def yardsticks(registry: Registry) -> list[Registered]:
    """The predictors that stand beside every evaluation."""
    return [found for found in registry.all("predictor") if getattr(found.component, "yardstick", True)]


def is_oracle(found: Registered) -> bool:
    """Whether it is the core's own `oracle`, and no cheat."""
    return found.plugin.builtin and found.name == ORACLE
