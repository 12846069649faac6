"""Steps through torch.compile: the same training, compiled once a stage, and a compiler that fails is told of."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import nn
from training import copied, train, weights

from lvmcore import Lab, LvmError
from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.errors import MachineError
from lvmcore.registry import Registry
from lvmcore.training.saving import Interval
from lvmcore.training.state import TrainerState
from lvmcore.variants.variant import Stage, Variant

WORLD = "world,articles=20,length=13,dim=20,latent=2"
# which nobody else sees
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute", "ignore::DeprecationWarning")
TOY: dict[str, Any] = {"arch": "amn", "data": WORLD, "size": "toy", "epochs": 1, "evaluate": False}


@pytest.fixture
def corpus(registry: Registry) -> Corpus:
    return open_corpus(WORLD, registry)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The batch of each graph that is compiled, by a compiler that takes no time: it runs the graph as it is."""
    sizes: list[int] = []

    def compile(graph: nn.Module, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        sizes.append(next(len(one) for one in inputs if not isinstance(one, nn.Parameter)))
        return graph.forward

    monkeypatch.setattr("lvmcore.training.compiled.BACKEND", compile)
    return sizes


def test_a_stage_is_compiled_once_and_trains_the_same(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path, compiled: list[int]
) -> None:
    """Whatever the last batch holds, whoever measures gradients, and however often the loss asks the model."""
    stages = (Stage(name="a", epochs=1), Stage(name="b", epochs=1, batch_size=20, inputs="pos:0.05+drop:0.2"))
    one = attrs.evolve(
        variant, arch="amn", batch_size=12, loss="mse+roll:0.01", inputs="pos:0.03+drop:0.1", stages=stages
    )
    plain, _, _ = train(one, corpus, registry, tmp_path / "plain")
    assert not compiled
    there, run, trainer = train(one, corpus, registry, tmp_path / "compiled", compile=True)
    assert len(trainer.train_windows) % 12
    assert len(trainer.train_windows) % 20
    assert compiled == [12, 12, 20, 20]  # once for the corpus's rows, once for predictions, which carry a gradient
    assert there.status == "finished"
    ours, theirs = weights(plain), weights(there)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(held, theirs[name]) for name, held in ours.items())
    assert not any("_orig_mod" in name for name in TrainerState.load(run.state_file).model)


def test_a_run_remembers_that_it_was_compiled(tmp_path: Path, compiled: list[int]) -> None:
    lab = Lab(tmp_path, device="cpu", progress=False)
    whole = lab.train(compile=True, **{**TOY, "epochs": 2})
    run = lab.train(compile=True, **TOY)
    assert (run.record["compile"], len(compiled)) == (True, 2)
    with pytest.raises(LvmError, match="--compile was True and now is False"):
        lab.resume(run, compile=False, epochs=2)
    lab.resume(run, compile=True, epochs=2, evaluate=False)
    assert len(compiled) == 4  # the first stage's, and again that of the stage that it goes on in
    ours, theirs = (copied(lab.load(one)) for one in (whole, run))
    assert all(torch.equal(held, theirs[name]) for name, held in ours.items())
    plain = lab.train(**TOY)
    assert plain.record["compile"] is False
    with pytest.raises(LvmError, match="--compile was False and now is True"):
        lab.resume(plain, compile=True)
    assert lab.estimate(compile=True, arch="amn", data=WORLD, size="toy").seconds is not None
    assert len(compiled) == 5


def test_a_compiler_that_fails_is_told_of_and_leaves_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compile(graph: nn.Module, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        raise FileNotFoundError("no g++ here")

    monkeypatch.setattr("lvmcore.training.compiled.BACKEND", compile)
    with pytest.raises(MachineError) as caught:
        Lab(tmp_path, device="cpu", progress=False).train(compile=True, **TOY)
    assert "no g++ here" in caught.value.what
    assert "TORCHDYNAMO" not in caught.value.what
    assert "--compile" in (caught.value.fix or "")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not os.environ.get("LVM_WHOLE_PRODUCT"), reason="torch's compiler takes a minute")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("arch", ["amn", "transformer"])
def test_the_compiler_of_torch_trains_much_the_same(
    arch: str, precision: str, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    one = attrs.evolve(variant, arch=arch, loss="mse+dir:0.01", inputs="pos:0.03", epochs=2)
    with_it: dict[str, Any] = {"compile": True, "precision": precision, "save_every": Interval(steps=2)}
    _, plain, _ = train(one, corpus, registry, tmp_path / "plain", precision=precision)
    first, run, _ = train(one, corpus, registry, tmp_path / "one", **with_it)
    again, _, _ = train(one, corpus, registry, tmp_path / "two", **with_it)
    for ours, theirs in zip(plain.epochs, run.epochs, strict=True):
        assert theirs["val_cos"] == pytest.approx(ours["val_cos"], abs=0.05)  # other draws of dropout
    assert all(torch.equal(held, weights(again)[name]) for name, held in weights(first).items())
