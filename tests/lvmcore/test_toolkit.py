"""The Python door: what the commands do, with plain data out and the project's own errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lvmcore
from lvmcore import Lab, LvmError, hookimpl
from lvmcore.model import LatentVectorModel

TOY: dict[str, Any] = {"arch": "transformer", "size": "toy", "epochs": 2}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.chdir(tmp_path)
    return Lab(tmp_path / "runs", progress=False)


def test_a_run_is_trained_evaluated_and_read_as_plain_data(lab: Lab, small: Path) -> None:
    run = lab.train("p1", data=str(small), size="toy", epochs=2, seed=3, tags=["try"], name="mine")
    assert run.status == "finished"
    assert [epoch["epoch"] for epoch in run.epochs] == [1, 2]
    assert run.evaluation is not None
    margin = run.evaluation["val"]["A"]["margin"]
    held = json.loads((run.path / "evaluation.json").read_text())["splits"]["val"]["A"]["margin"]
    assert (margin.value, margin.low, margin.high) == (held["value"], held["low"], held["high"])
    rows = run.figures()
    assert {"run", "variant", "seed", "split", "figure", "value", "low", "high"} == set(rows[0])
    assert {row["figure"] for row in rows} >= {"cosine", "A.margin", "B.unseen.r5", "D.curve.5", "E.delta"}
    json.dumps(rows)
    assert run.record["tags"] == ["try"]
    assert lab.run("mine").path == run.path
    assert [one.path for one in lab.runs] == [run.path]
    with pytest.raises(LvmError, match="split 'train' was not evaluated"):
        run.evaluation["train"]


def test_the_same_run_in_python_and_on_the_command_line_has_the_same_figures(lab: Lab, small: Path, lvm: Any) -> None:
    own = lab.train(loss="mse+dir:0.002", data=str(small), seed=1, **TOY)
    words = ("--arch", "transformer", "--loss", "mse+dir:0.002", "--size", "toy", "--epochs", "2", "--seed", "1")
    other = json.loads(lvm("run", *words, "--data", small, "--json").stdout)
    assert lvmcore.Run.open(own.path).record["variant"] == other["variant"]
    document = own.document_by() or {}
    assert document["splits"] == other["evaluation"]["splits"]
    assert document["gates"] == other["evaluation"]["gates"]


def test_runs_of_one_process_are_independent_and_leave_the_random_numbers_alone(lab: Lab, small: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = lab.train(data=str(small), inputs="drop:0.3", **TOY)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    lab.train(data=str(small), seed=7, **TOY)
    again = lab.train(data=str(small), inputs="drop:0.3", **TOY)
    weights = [lab.load(run).state_dict() for run in (first, again)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_mistake_leaves_nothing_behind(lab: Lab, small: Path) -> None:
    for settings, said in (
        ({"loss": "mes"}, "unknown loss 'mes'; did you mean 'mse'"),
        ({"epohcs": 3}, "unknown setting 'epohcs'; did you mean 'epochs'"),
        ({"data": "nowhere.safetensors"}, "there is no such corpus"),
        ({"best": "luck"}, "best weights by 'luck'"),
        ({"optimizer": "sgd,momentum=2"}, "momentum"),
    ):
        with pytest.raises(LvmError, match=said):
            lab.train(**{"data": str(small), **TOY, **settings})
    with pytest.raises(LvmError, match="unknown variant 'p11'"):
        lab.train("p11")
    assert not lab.runs


def test_anything_can_be_evaluated(lab: Lab, small: Path, tmp_path: Path) -> None:
    run = lab.train(data=str(small), evaluate=False, **TOY)
    assert run.evaluation is None
    assert not (run.path / "windows.safetensors").exists()
    found = lab.evaluate(run, save=True)
    assert run.evaluation is not None
    assert run.evaluation.document["splits"] == found.document["splits"]
    for what in (run.path.name, run.model_file, lab.load(run)):
        again = lab.evaluate(what, data=str(small))
        assert again["val"]["cosine"] == found["val"]["cosine"]
    cheat = lab.evaluate("copy-last", data=str(small), protocol="5cat,resamples=50,level=0.5,horizon=2", splits=["val"])
    assert cheat.document["protocol"] == "5cat,resamples=50,level=0.5,horizon=2"
    assert len(cheat["val"]["D"]["curve"]) == 2
    wide = lab.evaluate("copy-last", data=str(small), splits=["val"])
    widths = [found["val"]["cosine"].high - found["val"]["cosine"].low for found in (cheat, wide)]
    assert 0 < widths[0] < widths[1]


def test_an_ensemble_predicts_the_mean_of_its_members(lab: Lab, small: Path) -> None:
    runs = [lab.train(data=str(small), seed=seed, evaluate=False, name=f"s{seed}", **TOY) for seed in range(2)]
    found = lab.evaluate("s0+s1", splits=["val"])
    models = [lab.load(run) for run in runs]
    windows = lab.corpus(str(small)).windows("val", 5)
    batch = windows.take(torch.arange(len(windows)))
    mean = torch.stack([model.predict(batch.context) for model in models]).mean(0)
    expected = float(torch.nn.functional.cosine_similarity(mean, batch.target, dim=-1).double().mean())
    assert found["val"]["cosine"].value == pytest.approx(expected, abs=1e-6)
    alone = lab.evaluate("s0", splits=["val"])["val"]["cosine"]
    assert lab.evaluate("s0 + s0", splits=["val"])["val"]["cosine"].value == pytest.approx(alone.value, abs=1e-6)
    assert found.document["model"] == "+".join(run.path.name for run in runs)
    lab.evaluate("s0+copy-last", splits=["val"])
    with pytest.raises(LvmError, match="there is no run 's7'"):
        lab.evaluate("s0+s7")
    with pytest.raises(LvmError, match="is no run"):
        lab.evaluate("s0+s1", save=True)
    lab.train(data=str(small), context=3, evaluate=False, name="short", **TOY)
    with pytest.raises(LvmError, match="contexts of 3 and 5 rows"):
        lab.evaluate("s0+short")
    lab.train(data=str(small), evaluate=False, name="a+b", **TOY)  # a run that is called so is meant
    assert lab.evaluate("a+b", splits=["val"]).document["model"] == lab.run("a+b").path.name


def test_a_context_of_another_length_is_the_variants(lab: Lab, small: Path) -> None:
    run = lab.train(data=str(small), context=3, **TOY)
    assert run.record["recipe"]["context"] == 3
    assert run.evaluation is not None
    assert next(iter(run.evaluation["val"]["A"]["offsets"])) == "-2"
    assert lab.load(run).shape.context == 3


def test_patience_ends_a_run_that_grows_no_better(lab: Lab, small: Path) -> None:
    run = lab.train(data=str(small), **{**TOY, "epochs": 9}, lr=1e-12, best="r1", patience=2)
    assert run.status == "finished"
    assert len(run.epochs) == run.record["best"]["epoch"] + 2
    assert "no better r1 in 2 epochs" in run.record["reason"]


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd:0.8,nesterov=true"])
def test_a_run_takes_its_steps_with_the_optimizer_that_is_named(optimizer: str, lab: Lab, small: Path) -> None:
    run = lab.train(data=str(small), optimizer=optimizer, weight_decay=0.1, clip=0.5, **TOY)
    assert run.record["variant"]["optimizer"] == optimizer
    assert run.status == "finished"


def test_an_estimate_makes_no_run(lab: Lab, small: Path) -> None:
    found = lab.estimate("p5", data=str(small), size="toy", epochs=6)
    run = lab.train("p5", data=str(small), size="toy", epochs=6, ignore_gates=True, evaluate=False)
    assert found.parameters == run.record["parameters"]
    assert found.windows == run.record["windows"]
    assert found.steps == sum(epoch["steps"] for epoch in run.epochs)
    assert found.seconds > 0
    assert len(lab.runs) == 1


class Hears:
    def __init__(self) -> None:
        self.epochs: list[int] = []

    @hookimpl
    def lvm_epoch_finished(self, record: dict[str, Any]) -> None:
        self.epochs.append(record["epoch"])


def test_a_path_may_be_a_text(lab: Lab, small: Path, tmp_path: Path) -> None:
    run = lab.train(data=str(small), **TOY)
    assert lvmcore.Run.open(str(run.path)).status == "finished"
    held = lvmcore.Corpus.open(str(small))
    file = str(tmp_path / "again.safetensors")
    digest = lvmcore.save_corpus(file, held.vectors.numpy(), held.starts.numpy(), held.splits.numpy(), held.info)
    assert lvmcore.Corpus.open(file).digest == digest == held.digest


COPIES = """\
from torch import nn
from lvmcore import component, hookimpl

@component
class Copies:
    "Has no weights."

    def build(self, shape):
        return Last()

class Last(nn.Module):
    def forward(self, context):
        return context[:, -1]

@hookimpl
def lvm_architectures():
    return [("copies", Copies)]
"""


def test_an_architecture_without_weights_is_refused_before_the_first_step(small: Path, tmp_path: Path) -> None:
    file = tmp_path / "copies.py"
    file.write_text(COPIES)
    lab = Lab(tmp_path / "runs", plugins=[file], forgiving=True, progress=False)
    for work in (lab.train, lab.estimate):
        with pytest.raises(LvmError, match="has no weights to train") as caught:
            work(data=str(small), arch="copies")
        assert caught.value.where == "'copies'"
    assert lab.runs == []


def test_a_listener_hears_of_its_run_alone(lab: Lab, small: Path) -> None:
    listener = Hears()
    lab.train(data=str(small), listeners=[listener], **TOY)
    lab.train(data=str(small), **TOY)
    assert listener.epochs == [1, 2]


def test_the_rest_of_the_commands_is_there(lab: Lab, tmp_path: Path, small: Path) -> None:
    assert {found.name for found in lab.components("loss")} >= {"mse", "dir"}
    with pytest.raises(LvmError, match="there is no kind 'losess'"):
        lab.components("losess")
    assert "p1" in lab.variants
    assert lab.corpus(str(small)).dim == 16
    assert (tmp_path / "lvm-mine" / "lvm_mine" / "mine.py") in lab.new_plugin(tmp_path / "lvm-mine", loss="mine")
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    np.savez(tmp_path / "v.npz", vectors=vectors, article_indices=np.repeat(np.arange(6), 10))
    assert len(lab.corpora.import_(tmp_path / "v.npz", encoder="none")) == 60
    assert lvmcore.__version__.count(".") >= 1


# --- prediction


@pytest.fixture
def model(lab: Lab, small: Path) -> LatentVectorModel:
    return lab.load(lab.train(data=str(small), evaluate=False, **TOY))


def test_arrays_and_tensors_are_predicted_alike(model: LatentVectorModel) -> None:
    contexts = np.random.default_rng(0).normal(size=(4, 5, 16)) * 1e3
    found = model.predict(contexts)
    assert isinstance(found, np.ndarray)
    assert found.shape == (4, 16)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(model.predict(torch.from_numpy(contexts)).numpy(), found, atol=1e-6)
    np.testing.assert_allclose(model.predict(contexts[1]), found[1], atol=1e-6)
    unit = torch.nn.functional.normalize(torch.from_numpy(contexts), dim=-1).float()
    with torch.no_grad():
        raw = model.eval()(unit)
    np.testing.assert_allclose(torch.nn.functional.normalize(raw, dim=-1).numpy(), found, atol=1e-6)


def test_a_rollout_feeds_its_predictions_back(model: LatentVectorModel) -> None:
    context = np.random.default_rng(1).normal(size=(5, 16))
    steps = model.rollout(context, steps=3)
    assert steps.shape == (3, 16)
    rolling = context / np.linalg.norm(context, axis=1, keepdims=True)
    for step in steps:
        own = model.predict(rolling)
        np.testing.assert_allclose(step, own, atol=1e-5)
        rolling = np.concatenate([rolling[1:], own[None]])
    assert model.rollout(np.stack([context] * 2), steps=1).shape == (2, 1, 16)


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (np.ones((4, 16)), r"a context of shape \(4, 16\)"),
        (np.ones((2, 5, 15)), r"a context of shape \(2, 5, 15\)"),
        (np.ones(16), r"a context of shape \(16,\)"),
        (np.ones((0, 5, 16)), r"a context of shape \(0, 5, 16\)"),
        (np.zeros((5, 16)), "row 0 is no direction"),
        (np.full((2, 5, 16), np.nan), "row 0 of context 0 is no direction"),
    ],
)
def test_what_is_no_context_is_refused(context: np.ndarray, said: str, model: LatentVectorModel) -> None:
    with pytest.raises(LvmError, match=said):
        model.predict(context)
    with pytest.raises(LvmError, match=said):
        model.rollout(context, steps=2)
    with pytest.raises(LvmError, match="0 steps"):
        model.rollout(np.ones((5, 16)), steps=0)


def test_a_prediction_leaves_the_model_as_it_was(model: LatentVectorModel) -> None:
    model.train()
    once, twice = (model.predict(np.ones((5, 16))) for _ in range(2))
    assert model.training
    np.testing.assert_array_equal(once, twice)  # as in evaluation, without dropout
