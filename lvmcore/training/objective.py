"""The weighted, scheduled sum of losses, and what each term contributed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import attrs
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lvmcore.errors import LvmError
from lvmcore.expression import parse
from lvmcore.registry import Registry
from lvmcore.timing import LossTiming
from lvmcore.training.step import Step

Loss = Callable[[Step], Tensor]


@attrs.frozen(eq=False)
class WeightedLoss:
    """One term: its label in the records, the loss, and when and how strongly it acts."""

    label: str
    loss: Loss
    timing: LossTiming


@attrs.frozen(eq=False)
class Value:
    """One term at one step."""

    raw: Tensor
    weighted: Tensor
    strength: float
    """The weight at this epoch, or the share."""


class Objective:
    """Σ weight(epoch) · loss(step) over the terms that act at this epoch."""

    def __init__(self, terms: Iterable[WeightedLoss]) -> None:
        self.terms = tuple(terms)
        if not self.terms:
            raise LvmError("the objective has no loss", expected="such as mse+dir:0.002", fix="lvm list losses")
        if self.terms[0].timing.share is not None:
            raise LvmError("the first term has no other to share with", where=self.terms[0].label)

    @classmethod
    def of(cls, text: str, registry: Registry) -> Objective:
        """Build from an expression; a loss that stands twice is `roll` and `roll#2`."""
        expression = parse(text)
        made = [registry.resolve("loss", term) for term in expression.terms]
        return cls(
            WeightedLoss(label, one.component.build(), one.shared)
            for label, one in zip(expression.labels, made, strict=True)
        )

    def active(self, epoch: int) -> list[WeightedLoss]:
        """The terms whose weight is not 0 at this epoch.

        Raises:
            LvmError: there is none, or one that shares with the first term, which does not act.
        """
        acting = [term for term in self.terms if term.timing.strength(epoch) > 0]
        if not acting:
            raise LvmError(f"no loss acts at epoch {epoch}", expected="at least one term without start or stop")
        for term in acting:
            if term.timing.share is not None and acting[0] is not self.terms[0]:
                raise LvmError(
                    f"'{term.label}' shares with '{self.terms[0].label}', which does not act at epoch {epoch}",
                    expected="a first term that acts whenever a share does",
                )
        return acting

    def __call__(self, step: Step, eased: Mapping[str, float] = MappingProxyType({})) -> dict[str, Value]:
        """Every active term; their weighted values sum to the objective.

        Args:
            eased: factors on the weights of some, by label.

        Raises:
            LvmError: a loss that does not give a scalar, naming it; no loss that acts.
        """
        values: dict[str, Value] = {}
        for term in self.active(step.epoch):
            raw = term.loss(step)
            if not isinstance(raw, Tensor) or raw.ndim != 0:
                given = f"a tensor of shape {tuple(raw.shape)}" if isinstance(raw, Tensor) else type(raw).__name__
                raise LvmError(
                    f"loss '{term.label}' gave {given}",
                    expected="a scalar tensor, such as a mean",
                )
            strength = term.timing.strength(step.epoch) * eased.get(term.label, 1.0)
            held = term.timing.share is not None
            weighted = raw * (_share(strength, raw, next(iter(values.values()))) if held else strength)
            values[term.label] = Value(raw, weighted, strength)
            step.terms[term.label] = raw.detach()
        return values

    def parts(self) -> dict[str, Loss]:
        """The losses by label."""
        return {term.label: term.loss for term in self.terms}


def _share(share: float, raw: Tensor, first: Value) -> Tensor:
    """The factor that makes `raw` this fraction of the first term; 0 where `raw` is 0 and nothing can be held."""
    size = raw.detach().abs()
    return torch.where(size > 0, share * first.weighted.detach().abs() / size.clamp_min(1e-30), 0.0)


def total(values: dict[str, Value]) -> Tensor:
    """The objective: the sum of the weighted terms."""
    return torch.stack([value.weighted for value in values.values()]).sum()


def descend(values: dict[str, Value], module: nn.Module, optimizer: Optimizer, clip: float) -> tuple[Tensor, bool]:
    """One step of the optimizer down the objective, unless that or its gradient is not finite.

    On a GPU nothing waits for the answer: the optimizer is given it there, and leaves the step out by itself.

    Returns:
        The gradient's L2 norm before it was clipped, which is not finite where no step was taken, and whether one was;
        True where that is not known yet.
    """
    optimizer.zero_grad()
    loss = total(values)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(module.parameters(), clip)
    finite = norm.isfinite() & loss.isfinite()
    if waits_for_none(optimizer, norm.device):
        setattr(optimizer, "found_inf", (~finite).float())  # noqa: B010 – as torch.amp.GradScaler tells it
        optimizer.step()
        return torch.where(finite, norm, torch.nan), True
    if taken := bool(finite):
        optimizer.step()
    return norm, taken


def waits_for_none(optimizer: Optimizer, device: torch.device) -> bool:
    """Whether an optimizer leaves a step out by itself, where that is worth it: on a device beside the processor."""
    return device.type != "cpu" and getattr(optimizer, "_step_supports_amp_scaling", False)


def tried(optimizer: Any) -> tuple[Optimizer, nn.Parameter]:
    """A component's optimizer and the small weight that it has taken one step on: what it keeps is there then.

    One that wants other weights is as it was before its first step.
    """
    weight = nn.Parameter(torch.zeros(4, 6))
    trial = optimizer.build([weight], 1e-3, 0.0)
    weight.grad = torch.zeros_like(weight)
    with suppress(Exception):
        trial.step()
    return trial, weight


def gradient_norms(values: dict[str, Value], module: nn.Module) -> dict[str, float]:
    """L2 norm of each weighted term's gradient over all parameters: what pulls how hard.

    Takes a backward pass a term and leaves the graph and `.grad` as they were.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    norms = {}
    for label, value in values.items():
        if not value.weighted.requires_grad:
            norms[label] = 0.0
            continue
        gradients = torch.autograd.grad(value.weighted, parameters, retain_graph=True, allow_unused=True)
        norms[label] = float(torch.nn.utils.get_total_norm([g for g in gradients if g is not None]))
    return norms
