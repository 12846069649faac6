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
from lvmcore.registry import Registry
from lvmcore.timing import LossTiming, Timing
from lvmcore.training.objective import Objective, WeightedLoss, gradient_norms, total
from lvmcore.training.step import Step


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
    schedule = Timing(start=start, stop=None if length is None else start + length, ramp=ramp)
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


@pytest.mark.parametrize(("text", "epoch"), [("mse,start=2", 1), ("mse,stop=3+dir,stop=2", 4), ("mse:0", 1)])
def test_an_epoch_without_any_loss_is_an_error(text: str, epoch: int, registry: Registry) -> None:
    with pytest.raises(LvmError, match=f"no loss acts at epoch {epoch}"):
        Objective.of(text, registry)(at_epoch(epoch))


@pytest.mark.parametrize("text", ["mse,stop=2+ac+dir,share=0.1", "mse,stop=2+dir,share=0.1", "mse:0+dir,share=0.1"])
def test_a_share_needs_the_first_term_and_never_takes_another(text: str, registry: Registry) -> None:
    with pytest.raises(LvmError, match="'dir' shares with 'mse', which does not act at epoch 3"):
        Objective.of(text, registry)(at_epoch(3))


def test_the_strength_of_a_term_is_its_weight_or_share_at_the_epoch(registry: Registry) -> None:
    objective = Objective.of("mse:2+dir:0.4,start=2,ramp=4+ac,share=0.3,ramp=2+dir:0.1", registry)
    for epoch, expected in (
        (1, {"mse": 2.0, "ac": 0.15, "dir#2": 0.1}),
        (3, {"mse": 2.0, "dir": 0.2, "ac": 0.3, "dir#2": 0.1}),
    ):
        values = objective(at_epoch(epoch))
        assert {label: value.strength for label, value in values.items()} == pytest.approx(expected)


def test_a_share_ramps_and_is_nothing_where_the_loss_is_zero(registry: Registry) -> None:
    objective = Objective.of("mse+dir,share=0.2,start=2,ramp=4,margin=3", registry)
    assert list(objective(at_epoch(1))) == ["mse"]
    for epoch, share in ((2, 0.05), (3, 0.1), (4, 0.15), (5, 0.2), (9, 0.2)):
        values = objective(at_epoch(epoch))
        assert float(values["dir"].weighted) == pytest.approx(share * float(values["mse"].weighted))
    satisfied = Objective.of("mse+dir,share=0.2,margin=-3", registry)(at_epoch(1))
    assert float(satisfied["dir"].raw) == float(satisfied["dir"].weighted) == 0


def test_no_gradient_runs_through_the_factor_of_a_share(registry: Registry) -> None:
    step = random_step()
    values = Objective.of("mse+dir,share=0.3,margin=2", registry)(step)
    raw, weighted = values["dir"].raw, values["dir"].weighted
    (of_raw,) = torch.autograd.grad(raw, step.raw, retain_graph=True)
    (of_weighted,) = torch.autograd.grad(weighted, step.raw)
    torch.testing.assert_close(of_weighted, of_raw * float((weighted / raw).detach()))


@pytest.mark.parametrize(
    ("given", "said"),
    [(torch.ones(7), r"a tensor of shape \(7,\)"), (torch.ones(1), r"\(1,\)"), (0.5, "float"), (None, "None")],
)
def test_a_loss_that_gives_no_scalar_is_named(given: object, said: str) -> None:
    objective = Objective([WeightedLoss("odd#2", lambda step: given, LossTiming())])  # pyright: ignore
    with pytest.raises(LvmError, match=f"loss 'odd#2' gave .*{said}"):
        objective(at_epoch(1))


def test_a_loss_sees_the_raw_values_of_the_terms_before_it() -> None:
    seen: list[dict[str, float]] = []

    def first(step: Step) -> torch.Tensor:
        return step.raw.square().sum()

    def second(step: Step) -> torch.Tensor:
        seen.append({label: float(value) for label, value in step.terms.items()})
        return step.raw.sum()

    step = at_epoch(1)
    Objective([WeightedLoss("a", first, LossTiming(weight=0.1)), WeightedLoss("b", second, LossTiming())])(step)
    assert seen == [{"a": pytest.approx(float(step.raw.square().sum()))}]


def test_the_error_names_the_term_as_it_was_written(registry: Registry) -> None:
    with pytest.raises(LvmError) as caught:
        Objective.of("mse+dir:heavy,start=2", registry)
    assert caught.value.where == "dir:heavy,start=2"


def test_gradient_norms_are_those_of_separate_backward_passes_and_touch_nothing(registry: Registry) -> None:
    step = random_step(dtype=torch.float32)
    layer = nn.Linear(6, 6)
    raw = layer(step.raw.detach())
    values = Objective.of("mse+dir:0.3,margin=2", registry)(Step(batch=step.batch, raw=raw, epoch=1, model=step.model))
    layer.weight.grad = torch.full_like(layer.weight, 3)
    found = gradient_norms(values, layer)
    assert layer.bias.grad is None
    assert torch.equal(layer.weight.grad, torch.full_like(layer.weight, 3))
    for label, value in values.items():
        layer.zero_grad()
        value.weighted.backward(retain_graph=True)
        assert layer.bias.grad is not None
        assert layer.weight.grad is not None
        expected = (layer.weight.grad.square().sum() + layer.bias.grad.square().sum()).sqrt()
        assert found[label] == pytest.approx(float(expected), rel=1e-5)


def test_options_of_the_schedule_are_read_from_the_term(registry: Registry) -> None:
    schedule = registry.resolve("loss", parse_one("dir:0.5,start=2,ramp=3,margin=1")).shared
    assert (schedule.weight, schedule.start, schedule.ramp, schedule.stop) == (0.5, 2, 3, None)
