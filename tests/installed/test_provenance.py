"""What a run and a checkpoint say of the plugins they used, and what loading one without them says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors
from conftest import Lvm
from wheels import Wheel, loss

ARCHITECTURE = """
from torch import nn
from lvmcore import component, hookimpl

@component
class Flat:
    "One matrix."
    def build(self, shape):
        return nn.Sequential(nn.Flatten(1), nn.Linear(shape.context * shape.channels, shape.dim))

@hookimpl
def lvm_architectures():
    return [("flat", Flat)]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    Wheel("lvm-flat", ARCHITECTURE, entry="architectures").install(folder)
    Wheel("lvm-shifted", loss("shifted")).install(folder)
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_a_run_and_its_checkpoint_name_every_plugin_they_used(
    site: Path, lvm: Lvm, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "--arch", "flat", "--loss", "mse+shifted:0.1", "--epochs", "1", "--data", small, "--json")
    run = json.loads(lvm(*words).stdout)
    named = {(item["dist"], item["plugin"], item["version"]) for item in run["plugins"]}
    assert {("lvm-flat", "architectures", "1.2"), ("lvm-shifted", "lvm-shifted", "1.2")} < named
    assert ("lvmcore", "losses", "0.1.0") in named

    model = Path(run["path"]) / "model.safetensors"
    with safetensors.safe_open(str(model), framework="numpy") as file:
        header = json.loads(file.metadata()["lvm"])
    assert header["plugins"] == [{"dist": "lvm-flat", "plugin": "architectures", "version": "1.2"}]

    assert json.loads(lvm("eval", model, "--data", small, "--json").stdout)["splits"]
    said = lvm("eval", model, "--data", small, "--no-plugin", "lvm-flat", status=2).stderr
    assert "the model needs a plugin that is not loaded: lvm-flat 1.2 (plugin architectures)" in said
    assert "lvm-flat/architectures is off: --no-plugin lvm-flat" in said
    monkeypatch.setattr("sys.path", [entry for entry in __import__("sys").path if entry != str(site)])
    assert "try: pip install lvm-flat==1.2" in lvm("eval", model, "--data", small, status=2).stderr


def test_requirements_are_pins_that_pip_reads(site: Path, lvm: Lvm, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(loss("mine"))
    Wheel("lvm-broken", "1 / 0").install(site)
    lines = lvm("plugins", "--requirements", "--plugin", "mine.py").stdout.splitlines()
    assert lines == ["lvm-flat==1.2", "lvm-shifted==1.2", "lvmcore==0.1.0", "# --plugin mine.py"]


def test_a_reason_in_brackets_is_shown_as_it_is(site: Path, lvm: Lvm) -> None:
    Wheel("lvm-broken", "raise RuntimeError('[bold]no[/] list: [1, 2]')").install(site)
    assert "[bold]no[/] list: [1, 2]" in lvm("plugins").stdout
