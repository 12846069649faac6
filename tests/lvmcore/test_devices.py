"""What is computed on another device: nothing of the processor's strays into it, and the figures are the same.

The device is a pretended one, so that it is held on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
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
from lvmcore.data.store.placed import room_of
from lvmcore.data.windows import Batch
from lvmcore.evaluation.evaluator import evaluate
from lvmcore.evaluation.measurement import Predictor
from lvmcore.evaluation.predictors import predictor_of_model, yardstick, yardsticks
from lvmcore.evaluation.settings import Settings
from lvmcore.files import to_json
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
    """Predictions of every one, and a whole evaluation, which knows no architecture, of one."""
    settings = Settings(protocol="5cat,resamples=0", profile="table")
    inputs = "+".join(found.name for found in registry.all("input"))
    rows = torch.arange(10).view(2, 5)
    seen = 0
    for found in registry.all("architecture"):
        arch = f"amn+{found.name}" if found.name in ("residual", "anchored") else found.name
        torch.manual_seed(1)
        model = build_model(arch, inputs, corpus.dim, 5, registry, size="toy").eval()
        here, target = predictor_of_model(arch, model), corpus.rows(rows[:, -1])
        expected = here.predict(corpus.rows(rows), target)
        document = evaluate(here, corpus, registry, catalogue, settings).document if arch == "amn" else None
        with Pretend():
            other = corpus.on(DEVICE, 1 << 30)
            there = without_inference(predictor_of_model(arch, model.to(DEVICE)))
            given = there.predict(other.rows(rows), other.rows(rows[:, -1]))
            assert given.device == DEVICE
            assert torch.allclose(given.cpu(), expected, atol=1e-6), arch
            if document:
                require_same(document, evaluate(there, other, registry, catalogue, settings).document)
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
    one = attrs.evolve(
        variant, loss=LOSSES, inputs=inputs, epochs=2 if room else 1, batch_size=48, arch="transformer+residual:0.5"
    )
    outcome, run, _ = train(one, corpus, registry, tmp_path / "here", save_every=Interval(steps=3))
    with Pretend() as pretend:
        other = corpus.on(DEVICE, room)
        device = {"device": "meta", "save_every": Interval(steps=3)}
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
    for size in (24, 64):
        one = attrs.evolve(variant, loss="mse+dir:0.01+nce:0.01", inputs="pos:0.03+drop:0.1", epochs=1, batch_size=size)
        with Pretend() as pretend:
            train(one, corpus.on(DEVICE, 1 << 30), registry, tmp_path / str(size), device="meta")
        waits[size] = dict(pretend.waits)
    assert waits[24] == waits[64]


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


def test_tf32_is_of_newer_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cpu", "mps"):
        with pytest.raises(LvmError, match=f"'{name}' has no TF32"):
            device.resolve("tf32", name)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda name: "V100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name: (7, 0))
    with pytest.raises(LvmError, match="V100 is too old"):
        device.resolve("tf32", "cuda:1")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name: (8, 0))
    assert device.resolve("tf32", "cuda:1") == "tf32"
    with pytest.raises(LvmError, match="'fp16' is no precision"):
        device.resolve("fp16")


@pytest.mark.parametrize(("precision", "products"), [("fp32", "highest"), ("tf32", "high")])
@pytest.mark.parametrize("before", ["highest", "high", "medium"])
def test_products_are_as_precise_as_asked_for_a_pass_alone(precision: str, products: str, before: str) -> None:
    usual, recurrent = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(before)
    try:
        for context in (device.autocast, device.products):
            with suppress(ZeroDivisionError), context(precision, "cuda:1"):
                assert torch.get_float32_matmul_precision() == products
                assert torch.backends.cudnn.allow_tf32 is (precision == "tf32")
                raise ZeroDivisionError
            assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == (before, recurrent)
            with context("fp32", "cpu"):
                assert torch.get_float32_matmul_precision() == before
    finally:
        torch.set_float32_matmul_precision(usual)


def test_a_run_that_is_resumed_elsewhere_needs_its_tf32(tmp_path: Path) -> None:
    lab = Lab(tmp_path, device="cpu", progress=False)
    settings = {"arch": "amn", "data": WORLD, "size": "toy", "epochs": 1, "evaluate": False}
    with pytest.raises(LvmError, match="has no TF32"):
        lab.train(precision="tf32", **settings)
    assert not list(tmp_path.iterdir())
    run = lab.train(**settings)
    run.record.update(precision="tf32", asked_precision="tf32")
    (run.path / "run.json").write_text(to_json(run.record))
    with pytest.raises(LvmError, match="has no TF32"):
        lab.resume(str(run.path), epochs=2)


@pytest.mark.parametrize(
    ("text", "room"),
    [("none", 0), ("0 MB", 0), ("500MB", 500_000_000), ("4GB", 4 * 10**9), (" 1.5 TB", 1_500_000_000_000)],
)
def test_room_for_rows_is_a_size(text: str, room: int) -> None:
    assert room_of(text) == room
    assert room_of("auto") is None
    assert (room_of("all") or 0) > 10**15


@pytest.mark.parametrize("text", ["", "4", "GB", "-1GB", "4gb", "1e3GB", "nan", "9" * 5000 + "GB"])
def test_what_is_no_room_is_refused(text: str) -> None:
    with pytest.raises(LvmError, match="is no room for rows"):
        room_of(text)


def test_the_room_for_rows_is_that_of_whatever_the_lab_does(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms: list[int | None] = []

    def on(corpus: Corpus, device: str, room: int | None = None) -> Corpus:
        rooms.append(room)
        return corpus

    monkeypatch.setattr(Corpus, "on", on)
    lab = Lab(tmp_path, device="cpu", rows_on_device="3MB", progress=False)
    settings = {"arch": "amn", "data": WORLD, "size": "toy"}
    run = lab.train(**settings, epochs=1, evaluate=False)
    lab.resume(run, epochs=2, evaluate=False)
    lab.estimate(**settings)
    lab.evaluate("copy-last", corpus, max_windows=5)
    assert rooms == [3_000_000] * 4


def test_a_model_on_paper_takes_no_memory(tmp_path: Path) -> None:
    found = Lab(tmp_path, device="meta").estimate("p1", data=WORLD, arch="transformer:16384,layers=24")
    assert found.parameters > 10**10
    assert found.memory == 16 * found.parameters
    assert found.seconds is None
    real = Lab(tmp_path, device="cpu").estimate("p1", data=WORLD, size="toy")
    assert real.seconds is not None
    assert not list(tmp_path.iterdir())
