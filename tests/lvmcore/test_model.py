"""Building, saving and rebuilding models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch

from lvmcore.checkpoint import load_model, save_model
from lvmcore.errors import LvmError
from lvmcore.model import build_model, rebuilt
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

CONTEXTS = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))


def test_a_saved_model_is_rebuilt_from_its_file_alone_to_the_bit(tmp_path: Path, registry: Registry) -> None:
    model = build_model("transformer+residual:0.3", "pos:0.03+drop:0.1", 8, 5, registry, "toy")
    model.set_epoch(4)
    save_model(tmp_path / "m.safetensors", model, {"run": "r"})
    again, header = load_model(tmp_path / "m.safetensors", registry)
    assert torch.equal(model.eval()(CONTEXTS), again(CONTEXTS))
    assert header["run"] == "r"
    assert {item["plugin"] for item in header["plugins"]} == {"architectures", "inputs"}


def test_the_file_holds_every_option_so_that_a_later_default_changes_nothing(
    tmp_path: Path, registry: Registry
) -> None:
    save_model(tmp_path / "m.safetensors", build_model("amn", "pos", 8, 5, registry, "toy"), {})
    with safetensors.safe_open(str(tmp_path / "m.safetensors"), framework="pt") as file:
        header = json.loads(file.metadata()["lvm"])
    assert header["arch"] == "amn,d_model=16,hidden=32"
    assert header["inputs"] == "pos,scale=0.03,start=1,stop=none,ramp=1"
    assert (header["dim"], header["context"], header["kind"], header["schema"]) == (8, 5, "model", 1)


WIDE = """
import torch
from lvmcore import component, hookimpl, option

@component
class Scale:
    "Each row's own channels times a number."
    factor: float = option(default={default}, help="the number")
    def build(self, shape):
        class Module(torch.nn.Module):
            def forward(own, context):
                return context[:, -1, : shape.dim] * self.factor
        return Module()

@hookimpl
def lvm_architectures():
    return [("scale", Scale)]
"""


def test_a_model_of_an_earlier_default_predicts_as_it_did(tmp_path: Path) -> None:
    file = tmp_path / "scale.py"
    file.write_text(WIDE.format(default=2.0))
    save_model(tmp_path / "m.safetensors", build_model("scale", "", 8, 5, Registry(Plugins([file]))), {})
    file.write_text(WIDE.format(default=7.0))
    registry = Registry(Plugins([file]))
    assert torch.equal(build_model("scale", "", 8, 5, registry)(CONTEXTS), CONTEXTS[:, -1] * 7)
    assert torch.equal(load_model(tmp_path / "m.safetensors", registry)[0](CONTEXTS), CONTEXTS[:, -1] * 2)
    with pytest.raises(LvmError, match=r"needs a plugin that is not loaded: scale\.py file") as caught:
        load_model(tmp_path / "m.safetensors", Registry(Plugins()))
    assert caught.value.fix == "--plugin scale.py"


@pytest.mark.parametrize("header", ["[]", "3", "null", '{"kind": "corpus"}'])
def test_a_header_of_another_kind_is_named(header: str, tmp_path: Path, registry: Registry) -> None:
    safetensors.torch.save_file({"a": torch.ones(1)}, tmp_path / "m.safetensors", {"lvm": header})
    with pytest.raises(LvmError, match="no lvm model"):
        load_model(tmp_path / "m.safetensors", registry)


def test_a_model_of_a_newer_schema_says_what_to_do(tmp_path: Path, registry: Registry) -> None:
    save_model(tmp_path / "m.safetensors", build_model("amn", "", 8, 5, registry, "toy"), {"schema": 99})
    with pytest.raises(LvmError, match="newer lvm") as caught:
        load_model(tmp_path / "m.safetensors", registry)
    assert "pip install -U lvmcore" in (caught.value.fix or "")


def test_weights_that_do_not_fit_the_header_are_named(tmp_path: Path, registry: Registry) -> None:
    save_model(tmp_path / "m.safetensors", build_model("amn", "", 8, 5, registry, "toy"), {"dim": 9})
    with pytest.raises(LvmError, match="do not fit the header") as caught:
        load_model(tmp_path / "m.safetensors", registry)
    assert caught.value.where == str(tmp_path / "m.safetensors")


def test_inputs_act_in_order_and_each_sees_what_the_one_before_widened(registry: Registry) -> None:
    model = build_model("amn", "pos:0.03+pos:0.5", 8, 5, registry, "toy").eval()
    context = CONTEXTS
    for item in model.inputs:
        context = item(context)
    assert context.shape == (3, 5, 10)
    torch.testing.assert_close(context[0, -1, 8:], torch.tensor([0.03, 0.5]))
    assert model(CONTEXTS).shape == (3, 8)


def test_a_ramped_input_is_the_same_number_in_evaluation(tmp_path: Path, registry: Registry) -> None:
    model = build_model("amn", "pos:0.1,start=2,ramp=4", 8, 5, registry, "toy")
    seen = []
    for epoch in range(1, 8):
        model.set_epoch(epoch)
        seen.append(round(float(model.inputs[0].strength), 6))  # pyright: ignore
        if epoch == 3:
            save_model(tmp_path / "m.safetensors", model, {})
    assert seen == [0.0, 0.025, 0.05, 0.075, 0.1, 0.1, 0.1]
    assert float(load_model(tmp_path / "m.safetensors", registry)[0].inputs[0].strength) == pytest.approx(0.05)  # pyright: ignore


@pytest.mark.parametrize(
    ("arch", "said"), [("residual", "cannot stand first"), ("amn+transformer", "can only stand first"), ("", "no arch")]
)
def test_terms_in_the_wrong_place_are_named(arch: str, said: str, registry: Registry) -> None:
    with pytest.raises(LvmError, match=said):
        build_model(arch, "", 8, 5, registry, "toy")


def test_a_missing_plugin_is_named_with_the_way_to_get_it(tmp_path: Path, registry: Registry) -> None:
    model = build_model("amn", "", 8, 5, registry, "toy")
    save_model(
        tmp_path / "m.safetensors",
        model,
        {"arch": "mamba", "plugins": [{"dist": "lvm-mamba", "plugin": "mamba", "version": "0.3"}]},
    )
    with pytest.raises(LvmError, match=r"lvm-mamba 0\.3") as caught:
        load_model(tmp_path / "m.safetensors", registry)
    assert "pip install lvm-mamba==0.3" in (caught.value.fix or "")


@pytest.mark.parametrize("cut", [0, 9, 200, -1])
def test_a_truncated_model_is_named(cut: int, tmp_path: Path, registry: Registry) -> None:
    save_model(tmp_path / "m.safetensors", build_model("amn", "", 8, 5, registry, "toy"), {})
    whole = (tmp_path / "m.safetensors").read_bytes()
    (tmp_path / "m.safetensors").write_bytes(whole[:cut])
    with pytest.raises(LvmError, match=r"truncated|no lvm model"):
        load_model(tmp_path / "m.safetensors", registry)


def test_a_stage_may_change_what_alters_no_tensor_and_the_parameters_stay_the_same_objects(registry: Registry) -> None:
    model = build_model("transformer", "pos:0.03", 8, 5, registry, "toy")
    other = rebuilt(model, "transformer,last_bias=0.6", "pos:0.1", registry, "toy")
    assert [id(p) for p in other.parameters()] == [id(p) for p in model.parameters()]
    assert not torch.equal(model.eval()(CONTEXTS), other.eval()(CONTEXTS))
    with pytest.raises(LvmError, match="changes the shape"):
        rebuilt(model, "transformer,layers=2", "pos:0.03", registry, "toy")


def test_without_plugins_there_is_no_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(Plugins(without=["architectures"]))
    with pytest.raises(LvmError, match="unknown architecture 'amn'"):
        build_model("amn", "", 8, 5, registry)
