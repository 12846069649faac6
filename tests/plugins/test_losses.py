"""Losses: each against a plain loop in float64, and all of them at the edges."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
import torch
from plain_losses import (
    plain_ac,
    plain_adaptive,
    plain_cos,
    plain_dir,
    plain_floor,
    plain_future,
    plain_listwise,
    plain_micro,
    plain_moment,
    plain_mse,
    plain_nce,
    plain_norm,
    plain_orth,
    plain_rank,
    plain_roll_flat,
    plain_roll_future,
    plain_smooth,
    plain_variance,
)
from steps import articles_step, random_step, step_of
from torch import Tensor

from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.registry import Registry
from lvmcore.training.step import Step


def built(text: str, registry: Registry) -> Callable[[Step], Tensor]:
    return registry.make("loss", parse_one(text)).build()


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
        ("smooth-dir", plain_smooth),
        ("smooth-dir,alpha=1,gamma=8,against=last", lambda step: plain_smooth(step, gamma=8, alpha=1, row=-1)),
        ("smooth-dir,alpha=0.2,margin=0.3", lambda step: plain_smooth(step, margin=0.3, alpha=0.2)),
        ("smooth-dir,ratio_margin=0.4", lambda step: plain_smooth(step, ratio_margin=0.4)),
        ("micro-dir", plain_micro),
        ("micro-dir,margin=0.2,gamma=2", lambda step: plain_micro(step, 0.2, 2)),
        ("fut", plain_future),
        ("fut,margin=0.5,rows=4", lambda step: plain_future(step, 0.5, 4)),
        ("roll", plain_roll_future),
        ("roll,h=5", lambda step: plain_roll_future(step, 5)),
        ("roll,h=1", lambda step: plain_roll_future(step, 1)),
        ("roll,target=flat", plain_roll_flat),
        ("roll,target=flat,h=6", lambda step: plain_roll_flat(step, 6)),
        ("moment", plain_moment),
        ("variance", plain_variance),
        ("floor", plain_floor),
        ("floor,tau=0.9", lambda step: plain_floor(step, 0.9)),
        ("norm", plain_norm),
        ("cos", plain_cos),
        ("rank", plain_rank),
        ("rank,k=1", lambda step: plain_rank(step, 1)),
        ("rank,k=2,tau=0.5", lambda step: plain_rank(step, 2, 0.5)),
        ("orth", plain_orth),
        ("orth,against=last", lambda step: plain_orth(step, -1)),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_loss_is_its_formula(text: str, plain: Callable[[Step], float], seed: int, registry: Registry) -> None:
    for step in (random_step(seed=seed), articles_step(seed=seed)):
        assert float(built(text, registry)(step).detach()) == pytest.approx(plain(step), abs=1e-12)


@pytest.mark.parametrize(
    ("text", "count", "plain"),
    [
        ("nce", 0, plain_nce),
        ("nce,mask=false,tau=0.5", 0, lambda step, drawn: plain_nce(step, drawn, tau=0.5, mask=False)),
        ("nce,negatives=batch/context", 0, lambda step, drawn: plain_nce(step, drawn, "batch/context")),
        ("nce,negatives=context", 0, lambda step, drawn: plain_nce(step, drawn, "context")),
        ("nce,negatives=article", 16, lambda step, drawn: plain_nce(step, drawn, "article")),
        (
            "nce,negatives=batch/context/article,per_article=3",
            3,
            lambda step, drawn: plain_nce(step, drawn, "batch/context/article"),
        ),
        ("listwise", 30, plain_listwise),
        ("listwise,rows=4,tau=0.2,against=last", 4, lambda step, drawn: plain_listwise(step, drawn, 0.2, -1)),
        ("listwise,rows=0", 0, plain_listwise),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_loss_over_drawn_rows_is_its_formula(
    text: str, count: int, plain: Callable[..., float], seed: int, registry: Registry
) -> None:
    step = articles_step(seed=seed)
    torch.manual_seed(seed)
    drawn = step.article_rows(count)
    torch.manual_seed(seed)
    assert float(built(text, registry)(step).detach()) == pytest.approx(plain(step, drawn), abs=1e-12)


def test_every_loss_has_the_gradient_of_finite_differences(registry: Registry) -> None:
    seen = 0
    others = (
        "smooth-dir,against=last",
        "fut,margin=0.9",
        "roll,h=5",
        "roll,target=flat,h=4",
        "nce,mask=false",
        "nce,negatives=batch/context/article",
        "nce,negatives=article",
        "floor,tau=0.9",
        "rank,k=2",
    )
    for text in (*(found.name for found in registry.all("loss")), *others):
        loss, step = built(text, registry), articles_step()
        inputs = step.raw.detach().clone().requires_grad_()

        def as_function(raw: Tensor, loss: Callable[[Step], Tensor] = loss, step: Step = step) -> Tensor:
            torch.manual_seed(0)  # the rows that a loss draws
            return loss(Step(batch=step.batch, raw=raw, epoch=1, model=step.model))

        assert torch.autograd.gradcheck(as_function, (inputs,), fast_mode=True), text
        seen += 1
    assert seen >= 16 + 9


@pytest.mark.parametrize("edge", ["zero", "equal", "bf16", "large"])
def test_every_loss_is_a_finite_scalar_with_a_finite_gradient_at_the_edges(edge: str, registry: Registry) -> None:
    rows = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))
    if edge == "equal":
        rows = rows[:1].expand(20, 6).clone()
    raw = {"zero": torch.zeros(7, 6), "equal": rows[:7], "bf16": rows[:7].bfloat16(), "large": rows[:7] * 1e8}
    seen = 0
    for found in registry.all("loss"):
        leaf = raw[edge].clone().requires_grad_()
        value = found.component().build()(step_of(rows, leaf, list(range(5, 12))))
        assert value.ndim == 0
        assert value.isfinite()
        value.backward()
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all(), found.name
        seen += 1
    assert seen >= 14


def test_a_loss_over_the_rows_to_come_uses_them_and_knows_where_an_article_ends(registry: Registry) -> None:
    rows = torch.randn(16, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    raw = torch.randn(1, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    other = rows.clone()
    other[9:] += 1
    for text in ("fut,margin=3", "roll,h=3"):
        loss = built(text, registry)
        inside, changed = (loss(step_of(r, raw, [8], lengths=[16])) for r in (rows, other))
        assert inside != changed
        # the article ends with the target: what stands behind it belongs to another
        ends, unmoved = (loss(step_of(r, raw, [8], lengths=[9, 7])) for r in (rows, other))
        assert ends == unmoved
    assert float(built("fut,margin=3", registry)(step_of(rows, raw, [8], lengths=[9, 7]))) == 0


def standing(step: Step, factor: Tensor | float = 1.0) -> Step:
    """The same step under a model that hardly moves from the last row."""
    return Step(
        batch=step.batch, raw=step.raw, epoch=1, model=lambda c: c[:, -1] + 0.1 * factor * c.mean(1) * c[:, -1].abs()
    )


@pytest.mark.parametrize("h", [2, 3, 6])
def test_a_rollout_that_stands_still_costs_what_the_formula_says(h: int, registry: Registry) -> None:
    step = standing(articles_step())
    found = float(built(f"roll,target=flat,h={h}", registry)(step).detach())
    assert found == pytest.approx(plain_roll_flat(step, h), abs=1e-12)
    assert 0.1 < found < 0.5


def test_the_gradient_of_a_rollout_runs_through_its_steps(registry: Registry) -> None:
    for text in ("roll", "roll,target=flat"):
        factor = torch.ones((), dtype=torch.float64, requires_grad=True)
        step, loss = articles_step(), built(text, registry)

        def of_factor(factor: Tensor, step: Step = step, loss: Callable[[Step], Tensor] = loss) -> Tensor:
            return loss(standing(step, factor))

        (gradient,) = torch.autograd.grad(of_factor(factor), factor)
        assert float(gradient.abs()) > 0, text
        assert torch.autograd.gradcheck(of_factor, (factor,))
        of_raw = lambda raw, step=step, loss=loss: loss(  # noqa: E731
            standing(Step(batch=step.batch, raw=raw, epoch=1, model=step.model))
        )
        assert torch.autograd.gradcheck(of_raw, (step.raw,))


def test_a_rollout_that_only_asks_for_movement_needs_two_steps(registry: Registry) -> None:
    with pytest.raises(LvmError, match="h of at least 2"):
        built("roll,target=flat,h=1", registry)


def test_the_sources_of_negatives_are_named_where_one_is_unknown(registry: Registry) -> None:
    with pytest.raises(LvmError, match="'batch/world' is no value for option 'negatives'"):
        built("nce,negatives=batch/world", registry)


def test_a_variance_of_unit_vectors_can_be_met(registry: Registry) -> None:
    rows = torch.eye(6).double().repeat(3, 1)
    spread = torch.cat([torch.eye(6).double(), -torch.eye(6).double()])
    step = step_of(rows, spread, list(range(5, 17)))
    assert float(built("variance", registry)(step)) == pytest.approx(0, abs=1e-12)
    collapsed = step_of(rows, spread[:1].repeat(12, 1), list(range(5, 17)))
    assert float(built("variance", registry)(collapsed)) == pytest.approx(6**-0.5)


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
