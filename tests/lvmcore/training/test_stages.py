"""Stages of a run: what each changes, what goes on, and what may not change."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from training import train, weights

from lvmcore import hookimpl
from lvmcore.checkpoint import load_model
from lvmcore.data.corpus import Corpus
from lvmcore.errors import LvmError
from lvmcore.model import LatentVectorModel
from lvmcore.registry import Registry
from lvmcore.runs.folder import all_runs
from lvmcore.runs.run import Run
from lvmcore.training.trainer import Trainer
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import Stage, Variant


def test_stages_change_what_they_say_and_a_failed_gate_ends_the_run(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    stages = (
        Stage(name="A", epochs=1, sampler="forward:0.3", gates="stage-a"),
        Stage(name="B", epochs=2, loss="mse+dir:0.1", batch_size=8, lr=1e-4, arch="transformer,last_bias=0.3"),
    )
    staged = attrs.evolve(variant, stages=stages, epochs=3)
    outcome, run, _ = train(staged, corpus, registry, tmp_path)
    first, second, third = run.epochs
    assert outcome.status == "finished"
    assert (first["stage"], second["stage"], third["epoch"]) == ("A", "B", 3)
    assert first["windows"] == round(0.3 * second["windows"])
    assert second["steps"] == -(-second["windows"] // 8)
    assert (first["lr"], second["lr"]) == (3e-3, 1e-4)
    outcome, run, _ = train(staged, corpus, registry, tmp_path, gate=lambda model, profile: f"{profile} says no")
    assert (outcome.status, outcome.reason) == ("gate-failed", "stage A: stage-a says no")
    assert len(run.epochs) == 1
    assert outcome.model is not None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"inputs": "pos:0.03"}, "changes the shape"),
        ({"arch": "transformer,layers=2"}, "changes the shape"),
        ({"arch": "amn"}, "changes the shape"),
        ({"loss": "mse+dri"}, "did you mean 'dir'"),
        ({"loss": "mse,stop=2"}, "no loss acts at epoch 3"),
        ({"sampler": "forward:2"}, "'fraction' must be <= 1"),
        ({"schedule": "plato"}, "did you mean 'plateau'"),
    ],
)
def test_a_mistake_in_a_later_stage_is_found_before_the_first_epoch(
    changed: dict[str, Any], said: str, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    stages = (Stage(name="A", epochs=2), Stage(name="B", epochs=1, **changed))
    with pytest.raises(LvmError, match=said):
        train(attrs.evolve(variant, stages=stages, epochs=3), corpus, registry, tmp_path)
    (run,) = all_runs(tmp_path)
    assert run.epochs == []


def test_a_stage_that_changes_last_bias_keeps_the_weights_and_the_moments(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    stages = (Stage(name="A", epochs=2), Stage(name="B", epochs=1, arch="transformer,last_bias=0.6"))
    seen: list[list[torch.Tensor]] = []
    biases: list[float] = []

    class Listener:
        def __init__(self, trainer: Trainer) -> None:
            self.trainer = trainer

        def look(self) -> None:
            model, state = self.trainer.model, self.trainer.optimizer.state
            moments = [state[p][name].clone() for p in model.parameters() for name in ("step", "exp_avg", "exp_avg_sq")]
            seen.append([*(p.detach().clone() for p in model.parameters()), *moments])
            biases.append(-float(model.architecture.mask[-1, -1]))  # pyright: ignore

        @hookimpl
        def lvm_epoch_finished(self, run: Run, record: dict[str, Any]) -> None:
            if record["epoch"] == 2:
                self.look()

        @hookimpl
        def lvm_stage_started(self, run: Run, stage: Stage) -> None:
            if stage.name == "B":
                self.look()

    staged = attrs.evolve(variant, stages=stages, epochs=3)
    _, run, trainer = train(staged, corpus, registry, tmp_path, listener=Listener)
    before, after = seen
    assert biases == pytest.approx([0.0, 0.6])
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    (group,) = trainer.optimizer.param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in trainer.model.parameters()]
    steps = {int(state["step"]) for state in trainer.optimizer.state.values()}
    assert steps == {sum(epoch["steps"] for epoch in run.epochs)}


def test_the_best_weights_keep_the_recipe_of_their_own_stage(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    stages = (Stage(name="A", epochs=1), Stage(name="B", epochs=1, arch="transformer,last_bias=0.6", lr=1e-9))
    outcome, run, _ = train(attrs.evolve(variant, stages=stages, epochs=2), corpus, registry, tmp_path)
    best = run.record["best"]["epoch"]
    _, header = load_model(run.model_file, registry)
    assert f"last_bias={'0.6' if best == 2 else '0.0'}" in header["arch"]
    assert outcome.model is not None
    assert outcome.model.recipe.arch == header["arch"]


def test_epochs_count_through_the_stages(variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path) -> None:
    stages = (Stage(name="A", epochs=2), Stage(name="B", epochs=2, loss="mse+dir:0.1,start=4"))
    _, run, _ = train(attrs.evolve(variant, stages=stages, epochs=4), corpus, registry, tmp_path)
    assert [(e["epoch"], e["stage"], list(e["terms"])) for e in run.epochs] == [
        (1, "A", ["mse"]),
        (2, "A", ["mse"]),
        (3, "B", ["mse"]),
        (4, "B", ["mse", "dir"]),
    ]


def test_what_a_stage_leaves_out_is_the_variants_and_the_learning_rate_goes_on(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    stages = (
        Stage(name="A", epochs=1, lr=1e-4, batch_size=8, loss="mse+dir:0.1", sampler="forward:0.5"),
        Stage(name="B", epochs=1),
    )
    _, run, _ = train(attrs.evolve(variant, stages=stages, epochs=2), corpus, registry, tmp_path)
    first, second = run.epochs
    windows = len(corpus.windows("train"))
    assert (first["windows"], first["steps"]) == (windows // 2, -(-(windows // 2) // 8))
    assert (second["windows"], second["steps"], list(second["terms"])) == (windows, -(-windows // 16), ["mse"])
    assert (first["lr"], second["lr"]) == (1e-4, 1e-4)


def test_a_schedule_of_steps_ends_where_the_next_begins_or_with_the_run(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    cosine = "warmup-cosine:0,floor=0"
    stages = (
        Stage(name="A", epochs=2, sampler="forward:0.3", schedule=cosine),
        Stage(name="B", epochs=1, batch_size=4),  # the same course, in steps of another number an epoch
        Stage(name="C", epochs=1, lr=1e-3),
        Stage(name="D", epochs=1, schedule="constant", lr=2e-3),
    )
    changed = attrs.evolve(variant, stages=stages, epochs=5, schedule=cosine)
    rates: dict[int, float] = {}

    class Listener:
        def __init__(self, trainer: Trainer) -> None:
            self.trainer = trainer

        @hookimpl
        def lvm_epoch_finished(self, run: Run, record: dict[str, Any]) -> None:
            rates[record["epoch"]] = self.trainer.optimizer.param_groups[0]["lr"]

    _, run, _ = train(changed, corpus, registry, tmp_path, listener=Listener)
    assert [e["lr"] for e in run.epochs][3:] == [1e-3, 2e-3]
    steps = [e["steps"] for e in run.epochs]
    done = [sum(steps[:1]), sum(steps[:2]), sum(steps[:3])]
    half_cosines = [3e-3 * (1 + math.cos(math.pi * count / done[-1])) / 2 for count in done]
    assert [rates[e] for e in (1, 2, 3)] == pytest.approx(half_cosines, abs=1e-9)
    assert (rates[4], rates[5]) == (pytest.approx(0, abs=1e-9), 2e-3)


def test_a_stage_that_leaves_out_inputs_and_architecture_has_the_variants(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    stages = (
        Stage(name="A", epochs=1, arch="transformer,last_bias=0.3", inputs="drop:0.5"),
        Stage(name="B", epochs=1),
    )
    _, _, trainer = train(attrs.evolve(variant, stages=stages, epochs=2), corpus, registry, tmp_path)
    assert "last_bias=0.0" in trainer.model.recipe.arch
    assert trainer.model.recipe.inputs == ""


def test_a_gate_judges_the_best_weights_so_far(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    stages = (
        Stage(name="A", epochs=2, gates="stage-a"),
        Stage(name="B", epochs=1),
        Stage(name="C", epochs=1, gates="x"),
    )
    judged = []

    def gate(model: LatentVectorModel, profile: str) -> str:
        (run,) = all_runs(tmp_path)
        best = load_model(run.model_file, registry)[0].state_dict()
        assert all(torch.equal(tensor, best[name]) for name, tensor in model.state_dict().items())
        judged.append((profile, len(run.epochs)))
        return ""

    outcome, _, _ = train(attrs.evolve(variant, stages=stages, epochs=4), corpus, registry, tmp_path, gate=gate)
    assert outcome.status == "finished"
    assert judged == [("stage-a", 2), ("x", 4)]


def test_two_equal_stages_with_a_gate_between_are_one_stage_of_two_epochs(
    catalogue: Catalogue, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    """The gate loads a model, which draws no random numbers of the run's."""
    whole = attrs.evolve(catalogue.variant("base"), inputs="drop:0.3", epochs=2)
    stages = (Stage(name="a", epochs=1, gates="x"), Stage(name="b", epochs=1))
    judged: list[str] = []

    def gate(model: LatentVectorModel, profile: str) -> str:
        judged.append(profile)
        return ""

    one, *_ = train(whole, corpus, registry, tmp_path)
    two, *_ = train(attrs.evolve(whole, stages=stages), corpus, registry, tmp_path, gate=gate)
    assert judged == ["x"]
    assert all(torch.equal(held, weights(two)[name]) for name, held in weights(one).items())


def test_what_is_drawn_between_the_making_of_a_trainer_and_its_training_is_no_matter(
    catalogue: Catalogue, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = attrs.evolve(catalogue.variant("base"), inputs="drop:0.3", epochs=1)

    class Draws:
        @hookimpl
        def lvm_run_started(self) -> None: ...

    plain, *_ = train(variant, corpus, registry, tmp_path)

    def disturb(trainer: Any) -> Draws:  # called when the trainer is made, and has not trained yet
        torch.manual_seed(12345)
        return Draws()

    disturbed, *_ = train(variant, corpus, registry, tmp_path, listener=disturb)
    assert all(torch.equal(held, weights(disturbed)[name]) for name, held in weights(plain).items())
