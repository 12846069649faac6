"""Training: it learns, it repeats to the bit, it records, and it notices when it falls apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import torch

from lvmcore import component, hookimpl, precision
from lvmcore.collapse import CollapseWatch
from lvmcore.corpus import Corpus
from lvmcore.errors import LvmError
from lvmcore.model import LatentVectorModel, load_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.runs import Run
from lvmcore.trainer import Conditions, Outcome, Trainer
from lvmcore.variants import BEST, Catalogue, Stage, Variant


@pytest.fixture
def variant(catalogue: Catalogue) -> Variant:
    return attrs.evolve(catalogue.variant("base"), arch="transformer", epochs=3, batch_size=16, lr=3e-3)


def passes(model: LatentVectorModel, profile: str) -> str:
    return ""


def train(
    variant: Variant, corpus: Corpus, registry: Registry, folder: Path, gate: Any = passes, **conditions: Any
) -> tuple[Outcome, Run, Trainer]:
    run = Run.create(folder, variant.name, ["test"])
    trainer = Trainer(variant, corpus, registry, run, Conditions(**{"size": "toy", **conditions}), gate)
    run.update(recipe={})
    return trainer.train(), run, trainer


def weights(outcome: Outcome) -> dict[str, torch.Tensor]:
    assert outcome.model is not None
    return outcome.model.state_dict()


def test_training_lowers_the_loss_and_keeps_the_best_weights(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = attrs.evolve(variant, epochs=8)
    outcome, run, _ = train(variant, corpus, registry, tmp_path)
    epochs = run.epochs()
    assert outcome.status == "finished"
    assert epochs[-1]["loss"] < 0.9 * epochs[0]["loss"]
    best = min(epochs, key=lambda epoch: epoch["val_loss"])
    assert run.record["best"] == {"epoch": best["epoch"], "metric": "val_loss", "value": best["val_loss"]}
    assert load_model(run.model_file, registry)[1]["best"]["epoch"] == best["epoch"]


def test_the_same_seed_gives_the_same_weights_to_the_bit_and_another_does_not(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = attrs.evolve(variant, inputs="drop:0.3", loss="mse+dir:0.1")
    first, again, other = (weights(train(variant, corpus, registry, tmp_path, seed=s)[0]) for s in (5, 5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_every_epoch_is_recorded(variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path) -> None:
    _, run, _ = train(attrs.evolve(variant, loss="mse+dir:0.1,start=2"), corpus, registry, tmp_path)
    first, second, _ = run.epochs()
    assert list(first["terms"]) == ["mse"]
    assert list(second["terms"]) == ["mse", "dir"]
    for term in second["terms"].values():
        assert set(term) == {"raw", "weighted", "gradient"}
        assert term["gradient"] > 0
    assert second["terms"]["dir"]["weighted"] == pytest.approx(0.1 * second["terms"]["dir"]["raw"])
    assert second["loss"] == pytest.approx(sum(term["weighted"] for term in second["terms"].values()))
    wanted = {"epoch", "stage", "lr", "steps", "windows", "val_loss", "val_cos", "margin", "r1", "r5", "seconds"}
    assert wanted <= set(second)
    assert second["windows"] == len(corpus.windows("train"))
    assert second["val_loss"] == pytest.approx(2 * (1 - second["val_cos"]) / corpus.dim)


@pytest.mark.parametrize("metric", list(BEST))
def test_the_best_epoch_is_chosen_by_the_metric(
    metric: str, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    _, run, _ = train(attrs.evolve(variant, best=metric, epochs=4), corpus, registry, tmp_path)
    values = [epoch[metric] for epoch in run.epochs()]
    assert run.record["best"]["value"] == (max(values) if BEST[metric] else min(values))


def test_stages_change_what_they_say_and_a_failed_gate_ends_the_run(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    stages = (
        Stage(name="A", epochs=1, sampler="forward:0.3", gates="stage-a"),
        Stage(name="B", epochs=2, loss="mse+dir:0.1", batch_size=8, lr=1e-4, arch="transformer,last_bias=0.3"),
    )
    staged = attrs.evolve(variant, stages=stages, epochs=3)
    outcome, run, _ = train(staged, corpus, registry, tmp_path)
    first, second, third = run.epochs()
    assert outcome.status == "finished"
    assert (first["stage"], second["stage"], third["epoch"]) == ("A", "B", 3)
    assert first["windows"] == round(0.3 * second["windows"])
    assert second["steps"] == -(-second["windows"] // 8)
    assert (first["lr"], second["lr"]) == (3e-3, 1e-4)
    outcome, run, _ = train(staged, corpus, registry, tmp_path, gate=lambda model, profile: f"{profile} says no")
    assert (outcome.status, outcome.reason) == ("gate-failed", "stage A: stage-a says no")
    assert len(run.epochs()) == 1
    assert outcome.model is not None


def test_a_stage_that_changes_a_shape_is_an_error(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    stages = (Stage(name="A", epochs=1), Stage(name="B", epochs=1, inputs="pos:0.03"))
    with pytest.raises(LvmError, match="changes the shape"):
        train(attrs.evolve(variant, stages=stages, epochs=2), corpus, registry, tmp_path)


class Poison:
    """A plugin whose loss is mse until an epoch, and destroys the model from then on."""

    def __init__(self, epoch: int, factor: float) -> None:
        @component
        class Bad:
            """mse, then ruin."""

            def build(self):
                def loss(step):
                    mse = (step.raw - step.target).square().mean()
                    return mse if step.epoch < epoch else mse * 0 + step.raw.sum() * factor

                return loss

        self.pair = ("poison", Bad)

    @hookimpl
    def lvm_losses(self):
        return [self.pair]


def poisoned(epoch: int, factor: float) -> Registry:
    registry = Registry(Plugins(only=()))
    plugin = Poison(epoch, factor)
    registry.all("loss")
    from lvmcore.plugins import Plugin
    from lvmcore.registry import Registered

    registry._kinds["loss"].append(Registered("loss", *plugin.pair, Plugin("poison", "test", "0", "test")))
    return registry


def test_a_loss_that_is_not_finite_is_a_collapse_and_the_best_weights_are_safe(
    variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    registry = poisoned(3, float("nan"))
    outcome, run, _ = train(attrs.evolve(variant, loss="poison", epochs=5), corpus, registry, tmp_path)
    assert outcome.status == "collapsed"
    assert outcome.reason.startswith("collapsed at epoch 3")
    assert len(run.epochs()) == 3
    assert all(tensor.isfinite().all() for tensor in weights(outcome).values())
    assert run.record["best"]["epoch"] <= 2


@pytest.mark.parametrize(("choice", "epochs"), [("stop", 3), ("continue", 4), ("rollback", 4)])
def test_what_to_do_on_a_collapse_is_the_users_choice(
    choice: str, epochs: int, variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    registry = poisoned(3, 10.0)
    variant = attrs.evolve(variant, loss="poison", epochs=4, lr=1e-2)
    _, run, _ = train(variant, corpus, registry, tmp_path, on_collapse=choice)
    records = run.epochs()
    assert len(records) == epochs
    assert "collapsed at epoch 3" in records[2]["events"][0]
    if choice == "rollback":
        assert records[3]["lr"] == pytest.approx(records[2]["lr"] / 2)


@pytest.mark.parametrize(
    ("cosines", "collapsed"),
    [
        ([0.5, 0.451], False),  # above 0.9 of the best
        ([0.5, 0.449], True),
        ([0.1, 0.085], False),  # under 0.9 of the best, but less than 0.02 below it
        ([0.1, 0.079], True),
        ([0.3, 0.5, 0.44], True),
        ([float("nan")], True),
        ([-0.2, -0.21], False),
    ],
)
def test_the_rule_of_collapse(cosines: list[float], collapsed: bool) -> None:
    watch = CollapseWatch()
    said = [watch.see({"epoch": i + 1, "val_cos": cosine, "loss": 0.1}) for i, cosine in enumerate(cosines)]
    assert bool(said[-1]) is collapsed
    assert not any(said[:-1])


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [({"avx2"}, "fp32"), ({"avx512_bf16"}, "bf16"), ({"amx_bf16", "avx2"}, "bf16"), (set(), "fp32")],
)
def test_auto_takes_bf16_only_where_the_processor_multiplies_it(
    flags: set[str], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "processor_flags", lambda: flags)
    assert precision.resolve("auto", torch.device("cpu")) == chosen
    assert precision.resolve("bf16", torch.device("cpu")) == "bf16"


def test_training_in_bf16_records_finite_figures(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    outcome, run, _ = train(attrs.evolve(variant, epochs=1), corpus, registry, tmp_path, precision="bf16")
    assert outcome.status == "finished"
    assert 0 < run.epochs()[0]["loss"] < 10
