"""The sum of losses: weights, schedules, shares and what each term pulled."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from steps import random_step
from torch import nn

from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.objective import Objective, gradient_norms, total
from lvmcore.registry import Registry
from lvmcore.scheduled import LossSchedule, Schedule
from lvmcore.step import Step


def at_epoch(epoch: int, step: Step | None = None) -> Step:
    step = step or random_step()
    return Step(batch=step.batch, raw=step.raw.detach(), epoch=epoch, model=step.model)


def test_the_weight_multiplies_the_raw_value(registry: Registry) -> None:
    values = Objective.of("mse+dir:0.002,margin=0.5", registry)(at_epoch(1))
    assert float(values["mse"].weighted) == pytest.approx(float(values["mse"].raw))
    assert float(values["dir"].weighted) == pytest.approx(0.002 * float(values["dir"].raw))
    assert float(total(values)) == pytest.approx(float(values["mse"].raw) + 0.002 * float(values["dir"].raw))


@given(start=st.integers(1, 9), length=st.none() | st.integers(0, 9), ramp=st.integers(1, 9), epoch=st.integers(1, 25))
def test_start_stop_and_ramp_are_the_documented_formula(start: int, length: int | None, ramp: int, epoch: int) -> None:
    schedule = Schedule(start=start, stop=None if length is None else start + length, ramp=ramp)
    inside = epoch >= start and (schedule.stop is None or epoch <= schedule.stop)
    assert schedule.factor(epoch) == (min(1, (epoch - start + 1) / ramp) if inside else 0)


def test_a_term_outside_its_epochs_is_not_computed(registry: Registry) -> None:
    objective = Objective.of("mse+dir:0.5,start=3,stop=4,ramp=2", registry)
    assert [list(objective(at_epoch(e))) for e in (2, 3, 4, 5)] == [["mse"], ["mse", "dir"], ["mse", "dir"], ["mse"]]
    third, fourth = (objective(at_epoch(e))["dir"] for e in (3, 4))
    assert float(third.weighted / third.raw) == pytest.approx(0.25)
    assert float(fourth.weighted / fourth.raw) == pytest.approx(0.5)


@pytest.mark.parametrize("share", [0.1, 0.25, 2.0])
def test_a_share_is_held_at_every_step(share: float, registry: Registry) -> None:
    objective = Objective.of(f"mse:3+ac,share={share},margin=2", registry)
    for seed in range(4):
        values = objective(at_epoch(1, random_step(seed=seed)))
        assert float(values["ac"].weighted) == pytest.approx(share * float(values["mse"].weighted))


def test_the_same_loss_may_stand_twice(registry: Registry) -> None:
    values = Objective.of("mse+dir:0.1+dir:0.2,against=last+mse:2", registry)(at_epoch(1))
    assert list(values) == ["mse", "dir", "dir#2", "mse#2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no loss"),
        ("mse:heavy", "no value for option 'weight'"),
        ("mse:-1", "'weight' must be >= 0"),
        ("mse:1,weight=2", "given twice"),
        ("mse,start=5,stop=3", "before start"),
        ("mse+dir:0.1,share=0.1", "a weight or a share"),
        ("mse,share=0.1", "no other to share with"),
        ("mse+dir,marign=0.1", "did you mean 'margin'"),
        ("mse+dri", "did you mean 'dir'"),
    ],
)
def test_what_is_wrong_with_an_objective_is_said(text: str, said: str, registry: Registry) -> None:
    with pytest.raises(LvmError, match=said):
        Objective.of(text, registry)


def test_an_epoch_without_any_loss_is_an_error(registry: Registry) -> None:
    with pytest.raises(LvmError, match="no loss acts at epoch 1"):
        Objective.of("mse,start=2", registry)(at_epoch(1))


def test_gradient_norms_are_those_of_separate_backward_passes_and_touch_nothing(registry: Registry) -> None:
    step = random_step(dtype=torch.float32)
    layer = nn.Linear(6, 6)
    raw = layer(step.raw.detach())
    values = Objective.of("mse+dir:0.3,margin=2", registry)(Step(batch=step.batch, raw=raw, epoch=1, model=step.model))
    found = gradient_norms(values, layer)
    assert all(parameter.grad is None for parameter in layer.parameters())
    for label, value in values.items():
        layer.zero_grad()
        value.weighted.backward(retain_graph=True)
        assert layer.bias.grad is not None
        assert layer.weight.grad is not None
        expected = (layer.weight.grad.square().sum() + layer.bias.grad.square().sum()).sqrt()
        assert found[label] == pytest.approx(float(expected), rel=1e-5)


def test_options_of_the_schedule_are_read_from_the_term() -> None:
    schedule = LossSchedule.of(parse_one("dir:0.5,start=2,ramp=3,margin=1"))
    assert (schedule.weight, schedule.start, schedule.ramp, schedule.stop) == (0.5, 2, 3, None)
