"""An exported folder: complete, true, read back as it was, and its graphs the model to the fifth digit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import lvmcore
from lvmcore import Lab, LvmError
from lvmcore.export.graph import TOLERANCE, require_same, write_onnx, write_program
from lvmcore.model import LatentVectorModel, build_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

REGISTRY = Registry(Plugins(only=()))
ARCHITECTURES = [found.name for found in REGISTRY.all("architecture")]
INPUTS = "+".join(found.name for found in REGISTRY.all("input"))
WORLD = "world,articles=20,length=16,dim=20,latent=2"


def toy(arch: str, inputs: str = INPUTS) -> LatentVectorModel:
    wraps = arch in ("residual", "anchored")
    torch.manual_seed(0)
    return build_model(f"amn+{arch}" if wraps else arch, inputs, 12, 5, REGISTRY, size="toy").eval()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = Lab(tmp_path_factory.mktemp("exported") / "runs", progress=False)
    lab.train("p1", data=WORLD, epochs=1, size="toy", inputs="pos:0.03")
    return lab


def test_there_is_an_architecture_of_every_kind() -> None:
    assert len(ARCHITECTURES) >= 7
    assert len(INPUTS.split("+")) >= 3


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_program_is_the_model(arch: str, tmp_path: Path) -> None:
    model = toy(arch)
    write_program(model, tmp_path / "model.pt2")
    context = torch.randn(11, 5, 12)
    found = torch.export.load(tmp_path / "model.pt2").module()(context)
    assert found.detach().numpy() == pytest.approx(model.predict(context).numpy(), abs=TOLERANCE)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_an_onnx_graph_is_the_model(arch: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = toy(arch)
    write_onnx(model, tmp_path / "model.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    context = np.random.default_rng(0).normal(size=(11, 5, 12), scale=3).astype(np.float32)
    (found,) = session.run(None, {"context": context})
    assert found == pytest.approx(model.predict(context), abs=TOLERANCE)


def test_a_graph_that_is_another_model_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(LvmError, match="is not the model"):
        require_same(toy("amn"), toy("gru").predict, "ONNX", tmp_path / "model.onnx")


def test_a_model_that_is_no_graph_is_said(tmp_path: Path) -> None:
    model = toy("amn", "")
    model.architecture.forward = lambda context: context.mean(1) * (1 if context.sum().item() > 0 else 2)
    with pytest.raises(LvmError, match="cannot be drawn"):
        write_program(model, tmp_path / "model.pt2")


def test_a_folder_has_all_that_the_hub_wants(lab: Lab, tmp_path: Path) -> None:
    made = lab.export("latest", tmp_path / "model", licence="apache-2.0", formats=["torch-export"])
    assert [file.name for file in made] == ["model.safetensors", "config.json", "README.md", "model.pt2"]
    assert all(file.stat().st_size for file in made)
    assert made[0].read_bytes() == lab.run("latest").model_file.read_bytes()
    config = json.loads(made[1].read_text())
    assert (config["model_type"], config["dim"], config["context"]) == ("lvm", 20, 5)
    assert config["corpus"]["name"].startswith("world,")
    _, head, body = made[2].read_text().split("---\n", 2)
    card = yaml.safe_load(head)
    assert card["license"] == "apache-2.0"
    assert card["library_name"] == "lvm"
    evaluation = lab.run("latest").evaluation
    assert evaluation is not None
    for index, split in zip(card["model-index"][0]["results"], ("val", "ood"), strict=True):
        assert index["dataset"]["split"] == split
        found = {metric["type"]: metric["value"] for metric in index["metrics"]}
        assert found["a.margin"] == pytest.approx(evaluation[split]["A"]["margin"].value)
    for yardstick in evaluation.yardsticks:
        assert f"| {yardstick} |" in body
    margin = evaluation["val"]["A"]["margin"]
    assert f"{margin.value:+.3f} [{margin.low:+.3f}, {margin.high:+.3f}]" in body
    assert evaluation.gates["profile"] in body


def test_it_is_loaded_evaluated_and_shown_as_the_run(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    lab.export("latest", folder)
    context = np.random.default_rng(0).normal(size=(3, 5, 20))
    assert np.array_equal(lvmcore.load(folder).predict(context), lab.load("latest").predict(context))
    assert np.array_equal(lvmcore.load(str(folder)).predict(context), lab.load("latest").predict(context))
    again = lab.evaluate(folder, WORLD).document["splits"]
    assert again == lab.evaluate("latest", WORLD).document["splits"]


def test_a_file_alone_has_a_card_too(lab: Lab, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(lab.run("latest").model_file.read_bytes())
    card = lab.export(alone, tmp_path / "model")[2].read_text()
    assert "has not been evaluated" in card
    assert "licence of the weights**: none was stated" in card
    assert "license" not in yaml.safe_load(card.split("---\n")[1])


def test_words_of_others_do_not_break_out_of_the_card(lab: Lab, tmp_path: Path) -> None:
    named = 'evil"\n---\n# `x` | y\n```'
    run = lab.train("p1", data=WORLD, epochs=1, size="toy", evaluate=False)
    run.update(name=named)
    card = lab.export(run, tmp_path / "model")[2].read_text()
    assert card.count("\n---\n") == 1
    assert card.count("```") % 2 == 0
    assert yaml.safe_load(card.split("---\n")[1])["library_name"] == "lvm"


@pytest.mark.parametrize("there", ["a file", "a folder"])
def test_what_is_there_stays(there: str, lab: Lab, tmp_path: Path) -> None:
    target = tmp_path / "model"
    if there == "a file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine").write_text("mine")
    with pytest.raises(LvmError, match="there already"):
        lab.export("latest", target)
    assert (target if target.is_file() else target / "mine").read_text() == "mine"


def test_nothing_is_left_of_one_that_fails(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(model: LatentVectorModel, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lvmcore.export.graph.write_program", full)
    with pytest.raises(LvmError, match="No space left"):
        lab.export("latest", tmp_path / "model", formats=["torch-export"])
    assert list(tmp_path.iterdir()) == []


def test_a_predictor_and_a_wrong_format_are_no_models(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LvmError, match="has no weights"):
        lab.export("copy-last", tmp_path / "model")
    with pytest.raises(LvmError, match="no format 'gguf'"):
        lab.export("latest", tmp_path / "model", formats=["gguf"])
