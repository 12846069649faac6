"""What happens within an epoch: windows, gradients, clipping, and who is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor
from training import train

from lvmcore import hookimpl
from lvmcore.checkpoint import load_model
from lvmcore.data.corpus import Corpus
from lvmcore.evaluation.checks import watched
from lvmcore.evaluation.measurement import validate
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.training.stages import generator_of
from lvmcore.training.trainer import Trainer
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import Stage, Variant


@pytest.fixture
def variant(catalogue: Catalogue) -> Variant:
    return attrs.evolve(catalogue.variant("base"), arch="amn", epochs=2, batch_size=16, lr=3e-3)


class Gradients:
    """Notes the norm of the gradient that every step of the optimizer took."""

    seen: list[float]

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        type(self).seen = []

    @hookimpl
    def lvm_step_finished(self, run: Run, step: int, terms: dict[str, Tensor]) -> None:
        squares = [float(p.grad.double().square().sum()) for p in self.trainer.model.parameters() if p.grad is not None]
        self.seen.append(sum(squares) ** 0.5)


@pytest.mark.parametrize("clip", [1e-3, 1e6])
def test_gradients_are_clipped_at_the_norm_that_the_variant_says(
    clip: float, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = attrs.evolve(variant, clip=clip)
    _, run, _ = train(variant, corpus, registry, tmp_path, listener=Gradients)
    records = run.epochs
    assert len(Gradients.seen) == sum(record["steps"] for record in records)
    recorded = [record["gradient_norm"] for record in records]  # before clipping
    if clip < 1:
        assert Gradients.seen == pytest.approx([clip] * len(Gradients.seen), rel=1e-3)
        assert min(recorded) > 10 * clip
    else:
        steps = records[0]["steps"]
        assert recorded[0] == pytest.approx(sum(Gradients.seen[:steps]) / steps, rel=1e-4)


def test_the_gradient_of_a_lone_term_is_the_whole_gradient_before_clipping(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = attrs.evolve(variant, clip=1e-3, batch_size=1000)  # one step an epoch, and it is probed
    _, run, _ = train(variant, corpus, registry, tmp_path)
    for record in run.epochs:
        assert record["terms"]["mse"]["gradient"] == pytest.approx(record["gradient_norm"])


def test_every_window_of_train_is_seen_once_an_epoch_in_another_order_each_time(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    stepped = Trainer._step

    def step(self: Trainer, batch: Any, probe: Any) -> Any:
        seen.extend(batch.targets.tolist())
        return stepped(self, batch, probe)

    monkeypatch.setattr(Trainer, "_step", step)
    train(variant, corpus, registry, tmp_path)
    targets = corpus.windows("train").targets[:].tolist()
    first, second = seen[: len(targets)], seen[len(targets) :]
    assert sorted(first) == sorted(second) == targets
    assert first != second


def test_the_order_of_the_windows_depends_on_seed_and_epoch_and_on_nothing_drawn_before(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    def order(seed: int, **changed: str) -> list[int]:
        _, _, trainer = train(attrs.evolve(variant, **changed), corpus, registry, tmp_path, seed=seed)
        return trainer.prepared.sampler(2, generator_of(seed, 2))[:].tolist()

    assert order(3) == order(3, arch="transformer", inputs="drop:0.5") != order(4)


def test_plugins_are_told_of_a_run_in_the_order_of_its_life(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    told: list[str] = []

    class Listener:
        def __init__(self, trainer: Trainer) -> None:
            self.trainer = trainer

        @hookimpl
        def lvm_run_started(self) -> None:
            told.append("run")

        @hookimpl
        def lvm_stage_started(self, stage: Stage, steps_per_epoch: int) -> None:
            told.append(f"stage {stage.name}: {steps_per_epoch} steps")

        @hookimpl
        def lvm_epoch_started(self, epoch: int) -> None:
            told.append(f"epoch {epoch}")

        @hookimpl
        def lvm_step_finished(self, step: int, terms: dict[str, Tensor]) -> None:
            assert list(terms) == ["mse"]
            assert not terms["mse"].requires_grad
            told.append(f"step {step}")

        @hookimpl
        def lvm_epoch_finished(self, run: Run, record: dict[str, Any]) -> None:
            assert run.epochs[-1] == {**record, "events": []}  # it is on the disk already
            told.append(f"done {record['epoch']}")

    train(attrs.evolve(variant, batch_size=32), corpus, registry, tmp_path, listener=Listener)
    steps = ["step 1", "step 2"]
    assert told == ["run", "stage all: 2 steps", "epoch 1", *steps, "done 1", "epoch 2", *steps, "done 2"]


def test_the_weights_on_the_disk_are_those_of_the_best_epoch(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = attrs.evolve(variant, inputs="pos:0.1,ramp=4", epochs=3)
    _, run, _ = train(variant, corpus, registry, tmp_path)
    model, header = load_model(run.model_file, registry)
    best = run.epochs[header["best"]["epoch"] - 1]
    assert best["best"]
    again = validate(lambda context, _: model(context), corpus.windows("val"), watched(registry, 5))
    assert {name: again[name] for name in ("val_loss", "val_cos", "r5")} == pytest.approx(
        {name: best[name] for name in ("val_loss", "val_cos", "r5")}, abs=1e-6
    )
    assert float(model.inputs[0].strength) == pytest.approx(0.1 * best["epoch"] / 4)  # pyright: ignore


def test_a_gradient_that_is_not_finite_changes_no_weight(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[dict[str, Tensor]] = []
    forward = Trainer._forward

    def poisoned(self: Trainer, context: Tensor, **how: Any) -> Tensor:
        if self.model.training and self.epoch == 2:
            before.append({name: p.detach().clone() for name, p in self.model.named_parameters()})
            return forward(self, context, **how) * float("nan")
        return forward(self, context, **how)

    monkeypatch.setattr(Trainer, "_forward", poisoned)
    outcome, run, trainer = train(variant, corpus, registry, tmp_path)
    assert all(torch.equal(p, before[0][name]) for name, p in trainer.model.named_parameters())
    assert outcome.status == "collapsed"
    assert run.epochs[1]["events"] == ["collapsed at epoch 2: the loss is not finite at step 1 (mse)"]
    assert len(before) == 1  # and the epoch ends there
    assert run.epochs[1]["windows_per_second"] < 1e6  # the step took its time, as any other
