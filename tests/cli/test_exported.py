"""lvm export and lvm import-checkpoint from the command line."""

from __future__ import annotations

from pathlib import Path

import torch
from conftest import Lvm
from torch import nn

WORLD = "world,articles=20,length=16,dim=20,latent=2"


def test_a_run_leaves_as_a_folder_and_is_evaluated_from_there(lvm: Lvm, tmp_path: Path) -> None:
    lvm("run", "--arch", "amn", "--loss", "mse", "--data", WORLD, "--size", "toy", "--epochs", "1")
    said = lvm("export", "latest", "model", "--licence", "mit")
    assert [line.split()[0] for line in said.stdout.splitlines()] == [
        "model/model.safetensors", "model/config.json", "model/README.md",
    ]  # fmt: skip
    assert 'license: "mit"' in (tmp_path / "model" / "README.md").read_text()
    assert "5cat on world" in lvm("eval", "model", "--data", WORLD).stdout
    again = lvm("export", "latest", "model", status=2)
    assert "the folder is there already" in again.stderr


def test_an_older_checkpoint_becomes_a_file_of_ours(lvm: Lvm, tmp_path: Path) -> None:
    tensors = {f"lstm.{name}": one for name, one in nn.LSTM(9, 4).state_dict().items()}
    tensors |= {f"output_proj.{name}": one for name, one in nn.Linear(4, 8).state_dict().items()}
    torch.save({"model_type": "lstm", "model_state_dict": tensors}, tmp_path / "best.pt")
    said = lvm("import-checkpoint", "best.pt").stdout
    assert "assumed  inputs 'pos:0.03'; the file does not say" in said
    assert "5 rows of 8" in said
    assert "best.pt" in lvm("show", "best.safetensors").stdout
    assert "the file exists already" in lvm("import-checkpoint", "best.pt", status=2).stderr
    assert "there is no such file" in lvm("import-checkpoint", "none.pt", status=2).stderr
