"""What can be evaluated: trained models, and predictors that need no training, each with its role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.device import autocast
from lvmcore.errors import LvmError
from lvmcore.evaluation.measurement import Predictor
from lvmcore.expression import Term, parse_one
from lvmcore.registry import Registered, Registry

Role = Literal["cheat", "baseline", "oracle", "law"]
ORACLE, BASELINE, CHEAT, LAW = "oracle", "baseline", "cheat", "law"
"""What a predictor is beside a model, as its class declares by `role`: a cheat, which a model must beat (as where
nothing is declared); the baseline, a cheat too, which gain and direction are measured against; the oracle, which sees
the target; or one that knows a planted world's law, and is evaluated by name alone."""


def role_of(found: Registered) -> str:
    """The role that a predictor's class declares."""
    return getattr(found.component, "role", CHEAT)


def of_role(registry: Registry, role: Role) -> Registered:
    """The first predictor of a role: lvm's own, where it has one, whoever else gives one.

    Raises:
        LvmError: there is none.
    """
    for found in registry.all("predictor"):
        if role_of(found) == role:
            return found
    raise LvmError(f"no predictor has the role '{role}'", fix=f"lvm list predictors{registry.plugins.absent()}")


def yardsticks(registry: Registry) -> list[Registered]:
    """The predictors that stand beside every evaluation."""
    return [found for found in registry.all("predictor") if role_of(found) != LAW]


def is_cheat(found: Registered) -> bool:
    """Whether a model must beat it."""
    return role_of(found) in (CHEAT, BASELINE)


def predictor_of_model(name: str, model: torch.nn.Module, precision: str = "fp32") -> Predictor:
    """A trained model; call it with `model.eval()` done."""

    def predict(context: Tensor, _: Tensor) -> Tensor:
        with autocast(precision, context.device.type):
            return model(context)

    return Predictor(name, predict)


def ensemble(name: str, members: Sequence[Predictor]) -> Predictor:
    """The mean of what several predict, each at unit length."""

    def predict(context: Tensor, target: Tensor) -> Tensor:
        return torch.stack([F.normalize(one.predict(context, target).float(), dim=-1) for one in members]).mean(0)

    return Predictor(name, predict, sees_target=any(one.sees_target for one in members))


def term_of(found: Registered) -> Term:
    """The term that means this one and no other."""
    return Term(found.name, dist=found.plugin.dist)


def yardstick(text: str | Term, corpus: Corpus, registry: Registry, context: int = 5) -> Predictor:
    """A predictor that needs no training, by name or expression.

    Raises:
        LvmError: unknown, or it has nothing to be fit on.
    """
    made = registry.resolve("predictor", text if isinstance(text, Term) else parse_one(text))
    built, name = made.component.build(corpus, context), registry.key(made.registered)
    if role_of(made.registered) == ORACLE:
        return Predictor(name, built, sees_target=True)
    return Predictor(name, lambda rows, _: built(rows))
