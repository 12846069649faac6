"""Training: it learns, it repeats to the bit, it records, and it notices when it falls apart."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import torch
from training import copied, train, weights

from lvmcore import component, device, hookimpl
from lvmcore.checkpoint import load_model
from lvmcore.data.corpus import Corpus
from lvmcore.evaluation.checks import best_by
from lvmcore.plugins import Plugin, Plugins
from lvmcore.registry import Registered, Registry
from lvmcore.runs.run import Run
from lvmcore.training.collapse import CollapseWatch
from lvmcore.training.state import TrainerState
from lvmcore.training.trainer import Trainer
from lvmcore.variants.variant import Stage, Variant


def test_training_lowers_the_loss_and_keeps_the_best_weights(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = attrs.evolve(variant, epochs=8)
    outcome, run, _ = train(variant, corpus, registry, tmp_path)
    epochs = run.epochs
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
    _, run, _ = train(attrs.evolve(variant, loss="mse+dir:0.1,start=2,ramp=2"), corpus, registry, tmp_path)
    first, second, third = run.epochs
    assert list(first["terms"]) == ["mse"]
    assert list(second["terms"]) == ["mse", "dir"]
    for term in second["terms"].values():
        assert set(term) == {"strength", "raw", "weighted", "gradient"}
        assert term["gradient"] > 0
    for record, strength in ((second, 0.05), (third, 0.1)):
        assert record["terms"]["dir"]["strength"] == pytest.approx(strength)
        assert record["terms"]["dir"]["weighted"] == pytest.approx(strength * record["terms"]["dir"]["raw"])
    assert second["loss"] == pytest.approx(sum(term["weighted"] for term in second["terms"].values()))
    wanted = {"epoch", "stage", "lr", "steps", "windows", "val_loss", "val_cos", "margin", "r1", "r5", "seconds"}
    assert wanted <= set(second)
    assert second["windows"] == len(corpus.windows("train"))
    assert second["val_loss"] == pytest.approx(2 * (1 - second["val_cos"]) / corpus.dim)


@pytest.mark.parametrize("metric", ["val_loss", "val_cos", "margin", "r1", "r5"])
def test_the_best_epoch_is_chosen_by_the_metric(
    metric: str, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    _, run, _ = train(attrs.evolve(variant, best=metric, epochs=4), corpus, registry, tmp_path)
    values = [epoch[metric] for epoch in run.epochs]
    assert run.record["best"]["value"] == (max(values) if best_by(registry)[metric] else min(values))


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
    registry._kinds["loss"].append(Registered("loss", *plugin.pair, Plugin("poison", "test", "0", "test")))
    return registry


def test_a_loss_that_is_not_finite_is_a_collapse_and_the_best_weights_are_safe(
    variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    registry = poisoned(3, float("nan"))
    outcome, run, _ = train(attrs.evolve(variant, loss="poison", epochs=5), corpus, registry, tmp_path)
    assert outcome.status == "collapsed"
    assert outcome.reason.startswith("collapsed at epoch 3")
    assert len(run.epochs) == 3
    assert all(tensor.isfinite().all() for tensor in weights(outcome).values())
    assert run.record["best"]["epoch"] <= 2


@pytest.mark.parametrize(("choice", "epochs"), [("stop", 3), ("continue", 4), ("rollback", 4)])
def test_what_to_do_on_a_collapse_is_the_users_choice(
    choice: str, epochs: int, variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    registry = poisoned(3, 10.0)
    variant = attrs.evolve(variant, loss="poison", epochs=4, lr=1e-2)
    _, run, _ = train(variant, corpus, registry, tmp_path, on_collapse=choice)
    records = run.epochs
    assert len(records) == epochs
    assert "collapsed at epoch 3" in records[2]["events"][0]
    if choice == "rollback":
        assert records[3]["lr"] == pytest.approx(records[2]["lr"] / 2)


@pytest.mark.parametrize("inputs", [None, "drop:0.1"])
def test_a_rollback_goes_on_from_the_best_weights_and_their_moments(
    inputs: str | None, variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    registry, seen = poisoned(3, 10.0), []

    class Listener:
        def __init__(self, trainer: Trainer) -> None:
            self.trainer = trainer

        @hookimpl
        def lvm_epoch_started(self, run: Run, epoch: int) -> None:
            if epoch == 4:
                best = load_model(run.model_file, registry)[0].state_dict()
                own = copied(self.trainer.model)
                seen.append(all(torch.equal(own[name], best[name]) for name in best))
                kept, now = TrainerState.load(run.best_state_file), self.trainer.optimizer.state_dict()
                assert kept.epoch == run.record["best"]["epoch"]
                moments = [
                    torch.equal(kept.optimizer["state"][i]["exp_avg"], held["exp_avg"])
                    for i, held in now["state"].items()
                ]
                seen.append(all(moments) and len(moments) > 10)

    stages = (Stage(name="A", epochs=2), Stage(name="B", epochs=2, inputs=inputs))  # the best weights are of stage A
    variant = attrs.evolve(variant, loss="poison", epochs=4, lr=1e-2, stages=stages)
    train(variant, corpus, registry, tmp_path, listener=Listener, on_collapse="rollback")
    assert seen == [True, True]


@pytest.mark.parametrize("schedule", ["plateau", "constant", "warmup-cosine:1"])
def test_a_rollback_halves_the_rate_under_every_schedule(
    schedule: str, variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    highest: dict[int, float] = {}

    class Listener:
        def __init__(self, trainer: Trainer) -> None:
            self.trainer = trainer

        @hookimpl
        def lvm_step_finished(self, run: Run, step: int, terms: dict[str, torch.Tensor]) -> None:
            rate = self.trainer.optimizer.param_groups[0]["lr"]
            highest[self.trainer.epoch] = max(rate, highest.get(self.trainer.epoch, 0))

    variant = attrs.evolve(variant, loss="poison", epochs=6, lr=1e-2, schedule=schedule)
    train(variant, corpus, poisoned(3, 10.0), tmp_path, listener=Listener, on_collapse="rollback")
    assert max(highest[epoch] for epoch in (1, 2, 3)) == pytest.approx(1e-2, rel=0.1)
    assert 0 < max(highest[epoch] for epoch in (4, 5, 6)) <= 5e-3 * 1.0001


@pytest.mark.parametrize(
    ("cosines", "collapsed"),
    [
        ([0.5, 0.45], False),  # at 0.9 of the best
        ([0.5, 0.451], False),  # above it
        ([0.5, 0.449], True),
        ([0.1, 0.085], False),  # under 0.9 of the best, but less than 0.02 below it
        ([0.1, 0.079], True),
        ([0.1, 0.08], True),  # exactly 0.02 below the best
        ([0.3, 0.5, 0.44], True),
        ([float("nan")], True),
        ([float("inf")], True),
        ([-0.2, -0.21], False),
        ([-0.2, -0.25], True),  # the rule holds below 0 as well
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
    monkeypatch.setattr(device, "processor_flags", lambda: flags)
    assert device.resolve("auto") == chosen
    assert device.resolve("bf16") == "bf16"


@pytest.mark.parametrize(
    ("cpuinfo", "chosen"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512_bf16\n", "bf16"),
        ("processor : 0\nflags\t\t: fpu avx2 amx_bf16 amx_tile\n", "bf16"),
        ("Features\t: fp asimd bf16\n", "bf16"),
        ("processor : 0\nflags\t\t: fpu avx2 avx512f\nbugs : avx512_bf16\n", "fp32"),
        ("", "fp32"),
        (None, "fp32"),
    ],
)
def test_the_flags_are_read_from_what_linux_says_of_the_processor(
    cpuinfo: str | None, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_text(path: Path) -> str:
        assert str(path) == "/proc/cpuinfo"
        if cpuinfo is None:
            raise FileNotFoundError(path)
        return cpuinfo

    monkeypatch.setattr(Path, "read_text", read_text)
    assert device.resolve("auto") == chosen


def test_training_in_bf16_records_finite_figures(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    outcome, run, _ = train(attrs.evolve(variant, epochs=1), corpus, registry, tmp_path, precision="bf16")
    assert outcome.status == "finished"
    assert 0 < run.epochs[0]["loss"] < 10


def test_a_precision_that_is_not_resolved_is_refused() -> None:
    with pytest.raises(ValueError, match="must be resolved"):
        device.autocast("auto")
