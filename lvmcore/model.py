"""Inputs and an architecture as one module, built from expressions."""

from __future__ import annotations

import inspect
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from lvmcore.components import explicit
from lvmcore.errors import LvmError
from lvmcore.expression import Expression, Term, parse
from lvmcore.registry import Registry
from lvmcore.timing import Schedule


@attrs.frozen
class Shape:
    """What a component is built for."""

    context: int
    """C, rows of context."""
    dim: int
    """D, channels of a vector, and of the prediction."""
    channels: int
    """D_in, channels of a context row: D, or more where an input has widened it. The first D are the row's own."""


class ScheduledInput(nn.Module):
    """An input encoding with the scheduled strength of its first option.

    The strength is a buffer: it is saved with the weights, so that evaluation uses the number of training. An input
    that does not act draws no random numbers: a run with one that begins later is, until then, the run without it.
    """

    strength: Tensor

    def __init__(self, encoding: nn.Module, value: float, schedule: Schedule) -> None:
        super().__init__()
        self.encoding, self.value, self.schedule = encoding, value, schedule
        self.register_buffer("strength", torch.tensor(0.0))
        self.set_epoch(1)

    def set_epoch(self, epoch: int) -> None:
        strength = self.value * self.schedule.factor(epoch)
        self.strength.fill_(strength)
        self.acts = (
            strength != 0
        )  # beside the buffer, which can't be read on `meta`, nor on a GPU without waiting for it

    def forward(self, context: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[], enabled=not self.acts):
            return self.encoding(context, self.strength)


class LatentVectorModel(nn.Module):
    """context (B, C, D) → raw prediction (B, D)."""

    def __init__(self, inputs: list[ScheduledInput], architecture: nn.Module, shape: Shape, recipe: Recipe) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(inputs)
        self.architecture = architecture
        self.shape = shape
        self.recipe = recipe

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def strengths(self) -> dict[str, float]:
        """The strength that each input has now, by label: `pos`, and `pos#2` where it stands twice."""
        labels = parse(self.recipe.inputs).labels
        return {label: float(item.strength) for label, item in zip(labels, self.inputs, strict=True)}  # pyright: ignore

    def set_epoch(self, epoch: int) -> None:
        """Move the strength of every input along its schedule."""
        for item in self.inputs:
            item.set_epoch(epoch)  # pyright: ignore[reportCallIssue]

    def forward(self, context: Tensor) -> Tensor:
        for item in self.inputs:
            context = item(context)
        return self.architecture(context)


@attrs.frozen
class Recipe:
    """All that is needed to build a model again: two explicit expressions, the shape, the plugins needed."""

    arch: str
    inputs: str
    dim: int
    context: int
    plugins: tuple[dict[str, str], ...] = ()


def build_model(
    arch: str, inputs: str, dim: int, context: int, registry: Registry, size: str | None = None
) -> LatentVectorModel:
    """Build a model with fresh weights.

    Args:
        arch: the base architecture, then its wrappers: `transformer+residual:0.5`.
        inputs: input encodings, applied in order; may be empty.
        size: "toy" for the components' small presets.
    """
    owners: dict[tuple[str, str], str] = {}

    def made(kind: str, term: Term, without: frozenset[str] = frozenset()) -> Any:
        plugin = registry.find(kind, term).plugin
        owners[plugin.dist, plugin.name] = plugin.version
        return registry.make(kind, term, without=without, size=size)

    items, input_terms, channels = [], [], dim
    for term in parse(inputs).terms:
        component, schedule = made("input", term, Schedule.names()), Schedule.of(term)
        strength = next(iter(explicit(component).values()), "1")
        encoding = component.build(Shape(context, dim, channels))
        items.append(ScheduledInput(encoding, float(strength), schedule))
        with torch.no_grad(), torch.random.fork_rng(devices=[]):  # an input changes no initial weight of what follows
            channels = items[-1](torch.zeros(1, context, channels)).shape[-1]
        input_terms.append(registry.explicit("input", term, component, explicit(schedule)))

    shape = Shape(context, dim, channels)
    module: nn.Module | None = None
    arch_terms = []
    for term in parse(arch).terms:
        component = made("architecture", term)
        wraps = "inner" in inspect.signature(component.build).parameters
        if wraps and module is None:
            raise LvmError(
                f"'{term.name}' wraps another architecture and cannot stand first",
                where=f"'{arch}'",
                expected=f"base+{term.name}, such as transformer+{term.name}",
            )
        if not wraps and module is not None:
            raise LvmError(
                f"'{term.name}' wraps nothing and can only stand first",
                where=f"'{arch}'",
                expected="one base architecture, then wrappers",
                fix="lvm list architectures",
            )
        module = component.build(shape, module) if wraps else component.build(shape)
        arch_terms.append(registry.explicit("architecture", term, component))
    if module is None:
        raise LvmError("no architecture is named", fix="lvm list architectures")
    plugins = tuple({"dist": d, "plugin": p, "version": v} for (d, p), v in sorted(owners.items()))
    recipe = Recipe(str(Expression(tuple(arch_terms))), str(Expression(tuple(input_terms))), dim, context, plugins)
    return LatentVectorModel(items, module, shape, recipe)


def rebuilt(
    model: LatentVectorModel, arch: str, inputs: str, registry: Registry, size: str | None
) -> LatentVectorModel:
    """The same weights under another recipe of the same shapes, as a stage may ask for; optimizers stay valid."""
    with torch.random.fork_rng(devices=[]):  # its fresh weights are thrown away: what is drawn later stays the same
        other = build_model(arch, inputs, model.shape.dim, model.shape.context, registry, size)
    own, theirs = dict(model.named_parameters()), dict(other.named_parameters())
    if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in theirs.items()}:
        raise LvmError(
            "a stage changes the shape of the model",
            where=f"arch '{arch}', inputs '{inputs}'",
            expected="options that alter no tensor",
        )
    # the very Parameter objects, so that the optimizer keeps its moments
    other.load_state_dict(_weights(model), assign=True, strict=False)
    return other.train(model.training)


def restore(model: LatentVectorModel, other: LatentVectorModel) -> None:
    """Take the weights of another model of the same shapes, whose recipe may be that of an earlier stage."""
    model.load_state_dict(_weights(other), strict=False)


def _weights(model: LatentVectorModel) -> dict[str, Tensor]:
    """All but the strengths of inputs, which follow their schedules."""
    own = dict(model.named_parameters())
    state = model.state_dict(keep_vars=True)
    return {name: held for name, held in state.items() if name in own or name.startswith("architecture.")}
