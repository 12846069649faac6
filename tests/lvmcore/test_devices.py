"""What is computed on another device: nothing of the processor's strays into it, and the figures are the same.

The device is a pretended one, so that it is held on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from pretend import DEVICE, Pretend, StrayError
from training import made, train

from lvmcore import Lab, LvmError, device
from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.data.windows import Batch
from lvmcore.evaluation.evaluator import evaluate
from lvmcore.evaluation.measurement import Predictor
from lvmcore.evaluation.predictors import predictor_of_model, yardstick, yardsticks
from lvmcore.evaluation.settings import Settings
from lvmcore.model import build_model
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.training.ahead import ahead
from lvmcore.training.objective import descend
from lvmcore.training.saving import Interval
from lvmcore.training.step import Step
from lvmcore.training.trainer import Trainer
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import Variant

WORLD = "world,articles=20,length=16,dim=20,latent=2"


@pytest.fixture
def pretend() -> Iterator[Pretend]:
    with Pretend() as mode:
        yield mode


@pytest.fixture
def corpus(registry: Registry) -> Corpus:
    return open_corpus(WORLD, registry)


def test_the_pretended_device_refuses_strays_and_counts_waits(pretend: Pretend) -> None:
    there = torch.arange(6.0).view(2, 3).to(DEVICE)
    assert (there.device, (there * 2).sum(0).device) == (DEVICE, DEVICE)
    assert not pretend.waits
    assert (there * 2).sum().item() == 30
    assert there.cpu().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert sum(pretend.waits.values()) == 2
    with pytest.raises(StrayError):
        there + torch.ones(3)
    with pytest.raises(StrayError):
        there[torch.tensor([0, 1])]
    there.zero_()
    assert there.sum().item() == 0


@pytest.mark.parametrize("room", [1 << 30, 0], ids=["on the device", "sent to it"])
def test_rows_are_given_on_the_device(room: int, corpus: Corpus, pretend: Pretend) -> None:
    there = corpus.on(DEVICE, room)
    index = torch.tensor([[3, 1], [2, 319]])
    rows = there.rows(index)
    assert (rows.device, there.device, corpus.device) == (DEVICE, DEVICE, torch.device("cpu"))
    assert not pretend.waits
    assert torch.equal(rows.cpu(), corpus.rows(index))
    batch = there.windows("train").take(torch.arange(5))
    assert {one.device for one in (batch.context, batch.target, batch.articles, *batch.future(2))} == {DEVICE}
    assert {one.device for one in batch.article_rows(3)} == {DEVICE}


def figures(document: dict[str, object]) -> dict[str, float | None]:
    """Every number of the splits by its path."""
    found: dict[str, float | None] = {}

    def walk(node: object, path: str) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                walk(value, f"{path}/{key}")
        elif isinstance(node, list):
            for number, value in enumerate(node):
                walk(value, f"{path}/{number}")
        elif node is None or isinstance(node, int | float):
            found[path] = node

    walk(document["splits"], "")
    return found


def require_same(here: dict[str, object], there: dict[str, object]) -> None:
    ours, theirs = figures(here), figures(there)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 40
    for path, value in ours.items():
        assert theirs[path] == (value if value is None else pytest.approx(value, abs=1e-6)), path


@pytest.mark.parametrize("protocol", ["5cat,resamples=0", "5cat-2025"])
def test_yardsticks_get_the_same_figures_there(
    protocol: str, corpus: Corpus, registry: Registry, catalogue: Catalogue
) -> None:
    settings = Settings(protocol=protocol, profile="table", keep_yardsticks=False)
    names = [registry.key(found) for found in yardsticks(registry)]
    assert len(names) >= 6
    here = evaluate(yardstick("ridge", corpus, registry), corpus, registry, catalogue, settings).document
    with Pretend():
        other = corpus.on(DEVICE, 1 << 30)
        there = evaluate(yardstick("ridge", other, registry), other, registry, catalogue, settings).document
    require_same(here, there)
    for name in here["yardsticks"]:
        require_same(here["yardsticks"][name], there["yardsticks"][name])
    assert len(here["yardsticks"]) >= (6 if protocol.startswith("5cat,") else 0)


def without_inference(predictor: Predictor) -> Predictor:
    """Views of what is pretended can't be made in torch's inference mode."""

    def predict(context: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(False), torch.no_grad():
            return predictor.predict(context.clone(), target)

    return Predictor(predictor.name, predict)


def test_models_of_every_architecture_get_the_same_figures_there(
    corpus: Corpus, registry: Registry, catalogue: Catalogue
) -> None:
    settings = Settings(protocol="5cat,resamples=0", profile="table")
    inputs = "+".join(found.name for found in registry.all("input"))
    seen = 0
    for found in registry.all("architecture"):
        arch = f"amn+{found.name}" if found.name in ("residual", "anchored") else found.name
        torch.manual_seed(1)
        model = build_model(arch, inputs, corpus.dim, 5, registry, size="toy").eval()
        here = evaluate(predictor_of_model(arch, model), corpus, registry, catalogue, settings).document
        with Pretend():
            other = corpus.on(DEVICE, 1 << 30)
            there = without_inference(predictor_of_model(arch, model.to(DEVICE)))
            require_same(here, evaluate(there, other, registry, catalogue, settings).document)
        seen += 1
    assert seen >= 7


def test_what_a_model_predicts_is_given_where_the_context_was(registry: Registry) -> None:
    model = build_model("amn", "pos:0.03", 12, 5, registry, size="toy").eval()
    context = np.random.default_rng(0).normal(size=(3, 5, 12))
    expected, ahead = model.predict(context), model.rollout(context, 3)
    with Pretend():
        there = model.to(DEVICE)
        assert there.predict(context) == pytest.approx(expected, abs=1e-6)
        assert there.rollout(context, 3) == pytest.approx(ahead, abs=1e-6)
        assert there.predict(torch.tensor(context)).device == torch.device("cpu")
        assert there.predict(torch.tensor(context).to(DEVICE)).device == DEVICE


LOSSES = "mse+dir:0.01,adaptive=true+ac:0.01+fut:0.01+roll:0.01+nce:0.01,negatives=batch/context/article+listwise:0.01"


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pretended device has torch's fused optimizers, as a GPU has; validation does without inference mode."""
    module = import_module("torch.optim.optimizer")
    monkeypatch.setattr(module, "_get_fused_kernels_supported_devices", lambda: ["cpu", "cuda", "meta"])
    own = Trainer._predict

    def predict(trainer: Trainer, context: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return without_inference(Predictor("model", lambda *pair: own(trainer, *pair))).predict(context, target)

    monkeypatch.setattr(Trainer, "_predict", predict)


@pytest.mark.usefixtures("fused")
@pytest.mark.parametrize("room", [1 << 30, 0], ids=["on the device", "sent to it"])
def test_training_there_is_the_same_and_strays_nowhere(
    room: int,
    corpus: Corpus,
    registry: Registry,
    variant: Variant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lvmcore.training.trainer.ahead", iter)  # another thread would know nothing of the pretence
    inputs = "+".join(f"{found.name}" for found in registry.all("input"))
    one = attrs.evolve(variant, loss=LOSSES, inputs=inputs, epochs=2, arch="transformer+residual:0.5")
    outcome, run, _ = train(one, corpus, registry, tmp_path / "here", save_every=Interval(steps=4))
    with Pretend() as pretend:
        other = corpus.on(DEVICE, room)
        device = {"device": "meta", "save_every": Interval(steps=4)}
        there, again, trainer = train(one, other, registry, tmp_path / "there", **device)
        assert {parameter.device for parameter in trainer.model.parameters()} == {DEVICE}
    assert pretend.waits
    assert (there.status, outcome.status) == ("finished", "finished")
    for ours, theirs in zip(run.epochs, again.epochs, strict=True):
        for key in ("loss", "val_loss", "val_cos", "margin", "gradient_norm"):
            assert theirs[key] == pytest.approx(ours[key], abs=1e-5), key
        assert theirs["terms"].keys() == ours["terms"].keys()
    assert again.model_file.is_file()


@pytest.mark.usefixtures("fused")
def test_no_step_waits_for_the_device(corpus: Corpus, registry: Registry, variant: Variant, tmp_path: Path) -> None:
    """As many waits in an epoch of many steps as in one of few."""
    waits = {}
    for size in (16, 64):
        one = attrs.evolve(variant, loss="mse+dir:0.01+nce:0.01", inputs="pos:0.03+drop:0.1", epochs=1, batch_size=size)
        with Pretend() as pretend:
            train(one, corpus.on(DEVICE, 1 << 30), registry, tmp_path / str(size), device="meta")
        waits[size] = dict(pretend.waits)
    assert waits[16] == waits[64]


@pytest.mark.usefixtures("fused")
def test_a_step_that_is_not_finite_is_left_out_there(
    corpus: Corpus, registry: Registry, variant: Variant, tmp_path: Path
) -> None:
    with Pretend():
        trainer = made(variant, corpus.on(DEVICE, 1 << 30), registry, Run.create(tmp_path, "run", []), device="meta")
        before = [parameter.detach().cpu().clone() for parameter in trainer.model.parameters()]
        batch = trainer.train_windows.take(torch.arange(4))
        for factor, same in ((torch.nan, True), (1.0, False)):
            step = Step(batch=batch, raw=trainer.model(batch.context) * factor, epoch=1, model=trainer.model)
            norm, taken = descend(trainer.prepared.objective(step), trainer.model, trainer.optimizer, 1.0)
            assert taken
            assert bool(norm.isfinite()) is not same
            after = [parameter.detach().cpu() for parameter in trainer.model.parameters()]
            assert all(torch.equal(*pair) for pair in zip(before, after, strict=True)) is same


def test_batches_ahead_of_time_are_the_same_in_the_same_order(corpus: Corpus) -> None:
    windows = corpus.windows("train")
    made = [(number, windows.take(torch.arange(number, number + 3))) for number in range(7)]
    for count in (0, 1, 2, 7):
        found = list(ahead(iter(made[:count])))
        assert found == made[:count]
        assert all({"context", "target"} <= vars(batch).keys() for _, batch in found)


def test_what_fails_ahead_of_time_fails_at_its_step(corpus: Corpus) -> None:
    windows = corpus.windows("train")
    found = ahead(iter([(0, windows.take(torch.arange(3))), (1, Batch(corpus, torch.tensor([10**9]), 5))]))
    assert next(found)[0] == 0
    with pytest.raises(IndexError):
        next(found)


def test_devices_that_are_not_there_are_said() -> None:
    assert device.find("cpu") == "cpu"
    assert device.find("auto") in ("cpu", "cuda", "mps")
    for name in ("gpu", "cpu:1", "cuda:x", "mps:0", ""):
        with pytest.raises(LvmError, match="is no device"):
            device.find(name)
    if not torch.cuda.is_available():
        for name in ("cuda", "cuda:7"):
            with pytest.raises(LvmError, match="finds no device"):
                device.find(name)


def test_a_model_on_paper_takes_no_memory(tmp_path: Path) -> None:
    found = Lab(tmp_path, device="meta").estimate("p1", data=WORLD, arch="transformer:16384,layers=24")
    assert found.parameters > 10**10
    assert found.memory == 16 * found.parameters
    assert found.seconds is None
    real = Lab(tmp_path, device="cpu").estimate("p1", data=WORLD, size="toy")
    assert real.seconds is not None
    assert not list(tmp_path.iterdir())
