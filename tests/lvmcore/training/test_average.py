"""The average of the weights over the steps: its closed form, and that it is what is validated, kept and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from resuming import Stopper, require_equal, stopped_and_resumed
from torch import nn
from training import copied, train, weights

from lvmcore import hookimpl
from lvmcore.data.corpus import Corpus
from lvmcore.evaluation.measurement import validate
from lvmcore.registry import Registry
from lvmcore.training.average import Average
from lvmcore.variants.variant import Variant


class Watching:
    """The weights after every step of a run."""

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.seen = trainer, []

    @hookimpl
    def lvm_step_finished(self) -> None:
        self.seen.append(copied(self.trainer.model))


def averaged(seen: list[dict[str, torch.Tensor]], name: str, decay: float) -> torch.Tensor:
    """d^n · w_0 + Σ (1 − d) · d^(n − i) · w_i."""
    last = len(seen) - 1
    parts = [(1 - decay if i else 1) * decay ** (last - i) * held[name].double() for i, held in enumerate(seen)]
    return torch.stack(parts).sum(0)


def test_it_is_its_closed_form() -> None:
    module, average = nn.Linear(3, 2), Average(0.9)
    seen = []
    for step in range(7):
        with torch.no_grad():
            module.weight.add_(step)
        average.step(module)
        seen.append(copied(module))
    with average.within(module):
        torch.testing.assert_close(module.weight.detach().double(), averaged(seen, "weight", 0.9))
    assert torch.equal(module.weight, seen[-1]["weight"])


def test_the_weights_are_put_back_whatever_happens() -> None:
    module, average = nn.Linear(3, 2), Average(0.5)
    average.step(module)
    nn.init.zeros_(module.weight)
    seen = []

    def fail() -> None:
        with average.within(module):
            seen.append(bool(module.weight.any()))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [True]
    assert not module.weight.any()


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_what_is_kept_and_validated_is_the_average(
    decay: float, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = attrs.evolve(variant, ema=decay, epochs=4)
    watching: list[Watching] = []

    def watch(trainer: Any) -> Watching:
        watching.append(Watching(trainer))
        return watching[0]

    outcome, run, trainer = train(variant, corpus, registry, tmp_path, listener=watch)
    seen, best = watching[0].seen, run.record["best"]
    steps = sum(epoch["steps"] for epoch in run.epochs[: best["epoch"]])
    kept = weights(outcome)
    for name, _ in trainer.model.named_parameters():
        expected = averaged(seen[:steps], name, decay)
        torch.testing.assert_close(kept[name].double(), expected, atol=1e-6, rtol=1e-5)
    model = outcome.model
    assert model is not None
    again = validate(lambda context, _: model.eval()(context), corpus.windows("val"), trainer.watched)
    assert again["val_loss"] == pytest.approx(best["value"], rel=1e-6)
    assert torch.equal(copied(trainer.model)[name], seen[-1][name])  # training itself goes on from its own weights


def test_training_is_the_same_with_it_and_without(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    finals = [
        copied(train(attrs.evolve(variant, ema=decay), corpus, registry, tmp_path)[2].model) for decay in (0.0, 0.99)
    ]
    assert all(torch.equal(finals[0][name], finals[1][name]) for name in finals[0])


def test_a_run_with_it_is_stopped_and_resumed_alike(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = attrs.evolve(variant, ema=0.8, arch="filter-residual", loss="cos+rank:0.3", sampler="articles")
    stopper = Stopper(monkeypatch)
    _, whole, _ = train(variant, corpus, registry, tmp_path, listener=lambda _: stopper)
    resumed = stopped_and_resumed(variant, corpus, registry, tmp_path, stopper, stopper.done)
    require_equal(resumed, whole)
