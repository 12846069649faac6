"""Inputs and an architecture as one module, built from expressions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, overload

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from lvmcore.components import explicit
from lvmcore.data.windows import Windows
from lvmcore.device import autocast, double, forked
from lvmcore.errors import LvmError
from lvmcore.expression import Expression, Term, parse
from lvmcore.registry import Made, Registry
from lvmcore.timing import Timing


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

    def __init__(self, term: str, encoding: nn.Module, value: float, timing: Timing) -> None:
        super().__init__()
        self.term, self.encoding, self.value, self.timing = term, encoding, value, timing
        self.register_buffer("strength", torch.tensor(0.0))
        self.set_epoch(1)

    def set_epoch(self, epoch: int) -> None:
        strength = self.value * self.timing.factor(epoch)
        self.strength.fill_(strength)
        self.acts = strength != 0  # a buffer can't be read on `meta`, nor on a GPU without waiting

    def forward(self, context: Tensor) -> Tensor:
        """Rows (B, C, D_in) → (B, C, D_in or more).

        Raises:
            LvmError: the encoding gives another shape.
        """
        with forked(context.device, enabled=self.training and not self.acts):
            rows = self.encoding(context, self.strength)
        batch, length, channels = context.shape
        if _shape(rows)[:-1] != (batch, length) or rows.shape[-1] < channels:
            raise LvmError(
                f"the input gives {_what(rows)}",
                where=f"'{self.term}'",
                expected=f"(B, C, D_in or wider) = ({batch}, {length}, {channels} or more)",
            )
        return rows


class LatentVectorModel(nn.Module):
    """context (B, C, D) → raw prediction (B, D).

    Raises:
        LvmError: an input or the architecture gives another shape than it promises.
    """

    def __init__(self, inputs: list[ScheduledInput], architecture: nn.Module, shape: Shape, recipe: Recipe) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(inputs)
        self.architecture = architecture
        self.shape = shape
        self.recipe = recipe

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def trained(self) -> list[nn.Parameter]:
        """The weights, for an optimizer; also those that are frozen, which a later epoch may free.

        Raises:
            LvmError: there is none to train.
        """
        weights = list(self.parameters())
        if not any(one.requires_grad for one in weights):
            raise LvmError(
                "the architecture has no weights to train",
                where=f"'{self.recipe.arch}'",
                fix="what needs no training is a predictor: lvm new plugin DIR --predictor NAME",
            )
        return weights

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters(), torch.empty(0)).device

    @property
    def strengths(self) -> dict[str, float]:
        """The strength that each input has now, by label: `pos`, and `pos#2` where it stands twice."""
        labels = parse(self.recipe.inputs).labels
        return {label: float(item.strength) for label, item in zip(labels, self.inputs, strict=True)}  # pyright: ignore

    def set_epoch(self, epoch: int) -> None:
        """Move the strength of every input along its schedule."""
        for item in self.inputs:
            item.set_epoch(epoch)  # pyright: ignore[reportCallIssue]

    def forward(self, context: Tensor, architecture: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Raw predictions (B, D) of contexts (B, C, D).

        Args:
            architecture: is called in place of the model's own: the same, but compiled.
        """
        for item in self.inputs:
            context = item(context)
        raw = (self.architecture if architecture is None else architecture)(context)
        expected = (context.shape[0], self.shape.dim)
        if _shape(raw) != expected:
            raise LvmError(
                f"the architecture gives {_what(raw)}",
                where=f"'{self.recipe.arch}'",
                expected=f"the raw prediction (B, D) = {expected}",
            )
        return raw

    @overload
    def predict(self, context: Tensor, precision: str = ...) -> Tensor: ...

    @overload
    def predict(self, context: np.ndarray, precision: str = ...) -> np.ndarray: ...

    @torch.inference_mode()
    def predict(self, context: Tensor | np.ndarray, precision: str = "fp32") -> Tensor | np.ndarray:
        """The unit vector that follows each context, (B, C, D) → (B, D), or of one, (C, D) → (D,); float32.

        Rows may have any length; they are scaled to 1, as a corpus is. What was an array gives an array, and what was
        a tensor one on the same device.

        Args:
            precision: fp32 or bf16.

        Raises:
            LvmError: another shape, a row that is no direction, or a prediction that is none.
        """
        rows = self._rows(context)
        found = self._unit(rows if rows.ndim == 3 else rows[None], precision)
        return _as_given(found if rows.ndim == 3 else found[0], context)

    @overload
    def rollout(self, context: Tensor, steps: int, precision: str = ...) -> Tensor: ...

    @overload
    def rollout(self, context: np.ndarray, steps: int, precision: str = ...) -> np.ndarray: ...

    @torch.inference_mode()
    def rollout(self, context: Tensor | np.ndarray, steps: int, precision: str = "fp32") -> Tensor | np.ndarray:
        """Several steps ahead, each prediction fed back: (B, C, D) → (B, steps, D), or (C, D) → (steps, D).

        Raises:
            LvmError: as `predict`; steps under 1.
        """
        if steps < 1:
            raise LvmError(f"{steps} steps were asked for", expected="1 or more")
        rows = self._rows(context)
        whole, found = rows if rows.ndim == 3 else rows[None], []
        for _ in range(steps):
            found.append(self._unit(whole, precision))
            whole = torch.cat([whole[:, 1:], found[-1][:, None]], 1)
        stacked = torch.stack(found, 1)
        return _as_given(stacked if rows.ndim == 3 else stacked[0], context)

    def _unit(self, rows: Tensor, precision: str) -> Tensor:
        """Unit predictions (B, D) of unit rows (B, C, D), in evaluation."""
        training = self.training
        self.eval()
        try:
            with autocast(precision, rows.device.type):
                raw = self(rows).float()
        finally:
            self.train(training)
        norm = raw.norm(dim=-1, keepdim=True)
        if not (norm.isfinite() & (norm > 0)).all():
            raise LvmError("the model's prediction is no direction: not finite, or 0", where=self.recipe.arch)
        return raw / norm

    def _rows(self, context: Tensor | np.ndarray) -> Tensor:
        """Unit rows (C, D) or (B, C, D) float32, where the weights are."""
        length, dim = self.shape.context, self.shape.dim
        rows = torch.as_tensor(context)
        if not (rows.ndim in (2, 3) and rows.shape[-2:] == (length, dim) and rows.numel()):
            raise LvmError(
                f"a context of shape {tuple(rows.shape)} was given",
                expected=f"({length}, {dim}) or (B, {length}, {dim}): {length} rows of {dim} numbers, the oldest first",
            )
        return unit_rows(rows).to(self.device)


def unit_rows(rows: Tensor, first: int = 0) -> Tensor:
    """Rows of any length and floating type, scaled to length 1: (C, D) or (B, C, D), float32.

    Args:
        first: the number of the first context, for errors.

    Raises:
        LvmError: a row is no direction; it is named by its number.
    """
    rows = double(rows)
    largest = rows.abs().amax(-1, keepdim=True)
    sound = (largest.isfinite() & (largest > 0)).squeeze(-1)
    if not sound.all():
        place = (~sound).nonzero()[0].tolist()
        of = f" of context {first + place[0]}" if len(place) == 2 else ""
        raise LvmError(f"row {place[-1]}{of} is no direction: not finite, or all 0")
    return nn.functional.normalize(rows / largest, dim=-1).float()


@overload
def _as_given(found: Tensor, context: Tensor) -> Tensor: ...


@overload
def _as_given(found: Tensor, context: np.ndarray) -> np.ndarray: ...


def _as_given(found: Tensor, context: Tensor | np.ndarray) -> Tensor | np.ndarray:
    """A prediction as what it was made of: a tensor on its device, or an array."""
    return found.to(context.device) if isinstance(context, Tensor) else found.cpu().numpy()


def _shape(given: Any) -> tuple[int, ...]:
    """Of what a plugin's module gave; of what is no tensor, one that no tensor has."""
    return tuple(given.shape) if isinstance(given, Tensor) else (-1,)


def _what(given: Any) -> str:
    return f"a tensor of shape {tuple(given.shape)}" if isinstance(given, Tensor) else f"a {type(given).__name__}"


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

    def resolve(kind: str, term: Term) -> Made:
        made = registry.resolve(kind, term, size=size)
        plugin = made.registered.plugin
        owners[plugin.dist, plugin.name] = plugin.version
        return made

    items, input_terms, channels = [], [], dim
    for term in parse(inputs).terms:
        made = resolve("input", term)
        strength = next(iter(explicit(made.component).values()), "1")
        encoding = made.component.build(Shape(context, dim, channels))
        items.append(ScheduledInput(str(term), encoding, float(strength), made.shared))
        with torch.no_grad(), torch.random.fork_rng(devices=[]):  # an input changes no initial weight of what follows
            channels = items[-1](torch.zeros(1, context, channels)).shape[-1]
        input_terms.append(made.explicit)

    shape = Shape(context, dim, channels)
    module: nn.Module | None = None
    arch_terms = []
    for term in parse(arch).terms:
        made = resolve("architecture", term)
        wraps = "inner" in inspect.signature(made.component.build).parameters
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
        module = made.component.build(shape, module) if wraps else made.component.build(shape)
        arch_terms.append(made.explicit)
    if module is None:
        raise LvmError("no architecture is named", fix="lvm list architectures")
    plugins = tuple({"dist": d, "plugin": p, "version": v} for (d, p), v in sorted(owners.items()))
    recipe = Recipe(str(Expression(tuple(arch_terms))), str(Expression(tuple(input_terms))), dim, context, plugins)
    return LatentVectorModel(items, module, shape, recipe)


def fit(model: nn.Module, windows: Windows) -> None:
    """Let every part of a new model that has a method `fit` see the training windows, before the first step.

    What it keeps of them it puts into its parameters and buffers: a model that is loaded, or goes on, has seen them.
    """
    for part in model.modules():
        if callable(see := getattr(part, "fit", None)):
            see(windows)


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
    return other.to(model.device).train(model.training)


def restore(model: LatentVectorModel, other: LatentVectorModel) -> None:
    """Take the weights of another model of the same shapes, whose recipe may be that of an earlier stage."""
    model.load_state_dict(_weights(other), strict=False)


def _weights(model: LatentVectorModel) -> dict[str, Tensor]:
    """All but the strengths of inputs, which follow their schedules."""
    own = dict(model.named_parameters())
    state = model.state_dict(keep_vars=True)
    return {name: held for name, held in state.items() if name in own or name.startswith("architecture.")}
