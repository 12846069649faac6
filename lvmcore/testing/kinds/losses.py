"""What a loss promises."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor

from lvmcore.testing.material import BATCH, DIM, edge_steps, random_step, rows
from lvmcore.testing.promises import Subject, expect, promise
from lvmcore.training.state import memory_of, remind
from lvmcore.training.step import Step
from lvmcore.trees import pack, unpack

EPSILON, TOLERANCE = 1e-6, 1e-4
"""Of the central difference in float64, and how far relative to the slope the gradient may be from it."""

AT_TARGET = ("least", "zero")
EXACT = 1e-12
"""What rounding in float64 may leave of 0."""


def value(loss: Callable[[Step], Tensor], step: Step) -> Tensor:
    """The loss, whatever it draws at random drawn alike each time."""
    torch.manual_seed(0)
    given = loss(step)
    expect(isinstance(given, Tensor), f"it gave a {type(given).__name__}, not a tensor")
    expect(given.ndim == 0, f"it gave a tensor of shape {tuple(given.shape)}; take the mean")
    return given


@promise("loss")
def value_is_a_scalar_with_a_gradient(subject: Subject) -> None:
    """It gives a 0-d floating tensor that depends on the prediction, or on the model."""
    for text, made in subject.settings():
        given = value(made.build(), random_step())
        expect(given.is_floating_point(), f"it gave {given.dtype}{text}")
        expect(given.requires_grad, f"it has no gradient: nothing can be learnt from it{text}")


@promise("loss")
def stays_finite_at_the_edges(subject: Subject) -> None:
    """Value and gradient are finite for predictions that are zero, equal, opposite or alike, and without a future."""
    for text, made in subject.settings():
        for what, step in edge_steps():
            given = value(made.build(), step)
            expect(given.isfinite(), f"the value is {given.item()} for {what}{text}")
            if given.requires_grad:
                given.backward()
            for held in (step.raw, step.matrix):
                expect(held.grad is None or held.grad.isfinite().all(), f"the gradient is not finite for {what}{text}")


@promise("loss")
def gradient_is_the_slope(subject: Subject) -> None:
    """In float64 the gradient equals finite differences, unless the class declares `stops_gradient = True`."""
    if getattr(subject.component, "stops_gradient", False):
        return
    for text, made in subject.settings():
        plain = random_step(torch.float64)
        value(made.build(), plain).backward()
        if plain.raw.grad is None:
            continue  # it acts on the model alone, by step.predict
        for seed in range(8):
            direction = rows(BATCH, DIM, seed=20 + seed, dtype=torch.float64)
            ahead, behind = (
                value(made.build(), random_step(torch.float64, plain.raw.detach() + sign * EPSILON * direction)).item()
                for sign in (1, -1)
            )
            slope, told = (ahead - behind) / (2 * EPSILON), (plain.raw.grad * direction).sum().item()
            expect(
                abs(slope - told) <= TOLERANCE * max(1.0, abs(slope)),
                f"the gradient says {told:.8g}, finite differences {slope:.8g}{text}; "
                "is a part detached, or brought to float32?",
            )


@promise("loss")
def is_least_where_the_prediction_is_the_target(subject: Subject) -> None:
    """Where the class declares `at_target = "least"`, no other prediction has a smaller value; with "zero" it is 0."""
    declared = getattr(subject.component, "at_target", None)
    if declared is None:
        return
    expect(declared in AT_TARGET, f"at_target is {declared!r}; {' or '.join(map(repr, AT_TARGET))} was expected")
    for text, made in subject.settings():
        target = random_step(torch.float64).target
        least = value(made.build(), random_step(torch.float64, target)).item()
        expect(declared != "zero" or abs(least) <= EXACT, f"at the target it is {least:.3g}, not 0{text}")
        for seed in range(8):
            drawn = rows(*target.shape, seed=30 + seed, dtype=torch.float64)
            for what, raw in (("elsewhere", drawn), ("near it", target + 0.1 * drawn), ("beyond it", target * 2)):
                other = value(made.build(), random_step(torch.float64, raw)).item()
                expect(other >= least - EXACT, f"{least:.6g} at the target, {other:.6g} {what}{text}")


@promise("loss")
def what_it_sees_stays_as_it_is(subject: Subject) -> None:
    """It writes into nothing: context, target, prediction and the terms before it are the same afterwards."""
    for text, made in subject.settings():
        step = random_step()
        step.terms["mse"] = torch.tensor(0.25)
        before = [held.detach().clone() for held in (step.context, step.target, step.raw, step.unit)]
        value(made.build(), step)
        after = (step.context, step.target, step.raw, step.unit)
        for name, was, now in zip(("context", "target", "raw", "unit"), before, after, strict=True):
            expect(torch.equal(was, now), f"it writes into step.{name}{text}")
        expect(step.terms == {"mse": torch.tensor(0.25)}, f"it changes the terms before it{text}")


@promise("loss")
def same_seed_gives_the_same_value(subject: Subject) -> None:
    """After the same seed a loss that is built anew gives the same value."""
    for text, made in subject.settings():
        one, two = (value(made.build(), random_step()) for _ in range(2))
        expect(torch.equal(one, two), f"{one.item()} and then {two.item()}{text}")


@promise("loss")
def its_memory_can_be_restored(subject: Subject) -> None:
    """Whatever it has seen, one that is built anew and given its state_dict goes on alike: resume needs that."""
    for text, made in subject.settings():
        worn, fresh = {"loss": made.build()}, {"loss": made.build()}
        for seed in range(3):
            value(worn["loss"], random_step(raw=rows(BATCH, DIM, seed=seed)))
        remind(fresh, deepcopy(unpack(*pack(memory_of(worn), "loss"))))
        one, two = (value(each["loss"], random_step()) for each in (worn, fresh))
        expect(
            torch.equal(one, two),
            f"{one.item()}, and {two.item()} after a resume: its state_dict lacks something{text}",
        )
