"""Losses: each against a plain loop in float64, and all of them at the edges."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import pytest
import torch
from steps import random_step, step_of
from torch import Tensor

from lvmcore.expression import parse_one
from lvmcore.registry import Registry
from lvmcore.step import Step


def built(text: str, registry: Registry) -> Callable[[Step], Tensor]:
    return registry.make("loss", parse_one(text)).build()


def cos(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / (math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b)))


def plain_mse(step: Step) -> float:
    raw, target = step.raw.tolist(), step.target.tolist()
    terms = [(x - y) ** 2 for a, b in zip(raw, target, strict=True) for x, y in zip(a, b, strict=True)]
    return sum(terms) / len(terms)


def plain_dir(step: Step, margin: float, row: int) -> float:
    terms = [
        max(0.0, margin - (cos(p, t) - cos(p, c[row])))
        for p, t, c in zip(step.raw.tolist(), step.target.tolist(), step.context.tolist(), strict=True)
    ]
    return sum(terms) / len(terms)


def plain_adaptive(step: Step) -> float:
    return 1 + sum(
        1 / (1 + math.exp(-(cos(c[-1], t) - 0.60) / 0.05))
        for t, c in zip(step.target.tolist(), step.context.tolist(), strict=True)
    ) / len(step.target)


def plain_ac(step: Step, margin: float) -> float:
    terms = [
        max(0.0, margin - (cos(p, t) - cos(p, row)))
        for p, t, c in zip(step.raw.tolist(), step.target.tolist(), step.context.tolist(), strict=True)
        for row in c
    ]
    return sum(terms) / len(terms)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("mse", plain_mse),
        ("mse,reduction=sum", lambda step: plain_mse(step) * 6),
        ("dir", lambda step: plain_dir(step, 0.05, -2)),
        ("dir,margin=0.3,against=last", lambda step: plain_dir(step, 0.3, -1)),
        ("dir,margin=0.01,adaptive=true", lambda step: plain_dir(step, 0.01, -2) * plain_adaptive(step)),
        ("ac", lambda step: plain_ac(step, 0.02)),
        ("ac,margin=0.4", lambda step: plain_ac(step, 0.4)),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_loss_is_its_formula(text: str, plain: Callable[[Step], float], seed: int, registry: Registry) -> None:
    step = random_step(seed=seed)
    assert float(built(text, registry)(step).detach()) == pytest.approx(plain(step), abs=1e-12)


def test_every_loss_has_the_gradient_of_finite_differences(registry: Registry) -> None:
    seen = 0
    for found in registry.all("loss"):
        loss, step = found.component().build(), random_step()
        inputs = step.raw.detach().clone().requires_grad_()
        as_function = lambda raw, loss=loss, step=step: loss(  # noqa: E731
            Step(batch=step.batch, raw=raw, epoch=1, model=step.model)
        )
        assert torch.autograd.gradcheck(as_function, (inputs,))
        seen += 1
    assert seen >= 3


@pytest.mark.parametrize("edge", ["zero", "equal", "bf16", "large"])
def test_every_loss_is_a_finite_scalar_with_a_finite_gradient_at_the_edges(edge: str, registry: Registry) -> None:
    rows = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))
    if edge == "equal":
        rows = rows[:1].expand(20, 6).clone()
    raw = {"zero": torch.zeros(7, 6), "equal": rows[:7], "bf16": rows[:7].bfloat16().float(), "large": rows[:7] * 1e8}
    seen = 0
    for found in registry.all("loss"):
        leaf = raw[edge].clone().requires_grad_()
        value = found.component().build()(step_of(rows, leaf, list(range(5, 12))))
        assert value.ndim == 0
        assert value.isfinite()
        value.backward()
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()
        seen += 1
    assert seen >= 3


def test_a_perfect_prediction_costs_nothing_where_the_rows_differ_enough(registry: Registry) -> None:
    rows = torch.eye(12)
    step = step_of(rows, rows[5:10].clone(), list(range(5, 10)))
    for text in ("mse", "dir", "dir,against=last", "ac"):
        assert float(built(text, registry)(step)) == pytest.approx(0, abs=1e-12)


def test_a_guard_against_prev_never_sees_the_last_row_copied_and_one_against_last_does(registry: Registry) -> None:
    rows = torch.eye(12)
    copied = step_of(rows, rows[4:9].clone(), list(range(5, 10)))
    assert float(built("dir", registry)(copied)) == pytest.approx(0.05)
    assert float(built("dir,against=last", registry)(copied)) == pytest.approx(1.05)


def test_the_weight_is_no_option_of_a_loss(registry: Registry) -> None:
    for found in registry.all("loss"):
        assert "weight" not in {field.name for field in attrs.fields(found.component)}
