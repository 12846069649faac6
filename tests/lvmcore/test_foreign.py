"""Checkpoints of the older tools: read without running anything, and the same model to the last digits."""

from __future__ import annotations

import math
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lvmcore import Lab, LvmError, load
from lvmcore.model_header import read_model_header

D = 24


# --- the older tools' modules, stated again: names of tensors, order of layers, what is done with them


class OldLstm(nn.Module):
    def __init__(self, channels: int, hidden: int = 16, layers: int = 2) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, layers, batch_first=True)
        self.output_proj = nn.Linear(hidden, D)

    def forward(self, rows: Tensor) -> Tensor:
        return self.output_proj(self.lstm(rows)[0][:, -1])


class OldBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.norm(hidden + self.gru(hidden)[0])


class OldGru(nn.Module):
    def __init__(self, channels: int, width: int = 16, layers: int = 3) -> None:
        super().__init__()
        self.input_proj = nn.Linear(channels, width)
        self.blocks = nn.ModuleList(OldBlock(width) for _ in range(layers))
        self.output_proj = nn.Linear(width, D)

    def forward(self, rows: Tensor) -> Tensor:
        hidden = self.input_proj(rows)
        for block in self.blocks:
            hidden = block(hidden)
        return self.output_proj(hidden[:, -1])


class OldPositions(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        table = torch.zeros(1, 100, width)
        for place in range(100):
            for pair in range(width // 2):
                angle = place * math.exp(2 * pair * (-math.log(10_000.0) / width))
                table[0, place, 2 * pair], table[0, place, 2 * pair + 1] = math.sin(angle), math.cos(angle)
        self.register_buffer("pe", table)


class OldTransformer(nn.Module):
    def __init__(self, channels: int, width: int = 32, heads: int = 8, layers: int = 2) -> None:
        super().__init__()
        self.input_proj = nn.Linear(channels, width)
        self.pos_encoder = OldPositions(width)
        layer = nn.TransformerDecoderLayer(width, heads, 4 * width, batch_first=True)
        self.transformer_decoder = nn.TransformerDecoder(layer, layers)
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, D))

    def forward(self, rows: Tensor) -> Tensor:
        hidden = self.input_proj(rows) + self.pos_encoder.pe[:, : rows.shape[1]]  # pyright: ignore
        mask = torch.full((rows.shape[1], rows.shape[1]), -math.inf).triu(1)
        return self.head(self.transformer_decoder(hidden, hidden, tgt_mask=mask, memory_mask=mask)[:, -1])


class OldAmn(nn.Module):
    def __init__(self, channels: int, width: int = 8, hidden: int = 16) -> None:
        super().__init__()
        self.width = width
        self.context_encoder = nn.Linear(channels, width)
        self.query_encoder = nn.Linear(channels, width)
        self.residual_net = nn.Sequential(
            nn.Linear(2 * channels, hidden), nn.GELU(), nn.LayerNorm(hidden),
            nn.Linear(hidden, hidden // 2), nn.GELU(), nn.LayerNorm(hidden // 2), nn.Linear(hidden // 2, D),
        )  # fmt: skip

    def forward(self, rows: Tensor) -> Tensor:
        mean = rows.mean(1)
        scores = torch.einsum("bd,bcd->bc", self.query_encoder(mean), self.context_encoder(rows)) / self.width**0.5
        mixed = torch.einsum("bc,bcd->bd", scores.softmax(-1), rows)
        return mean + self.residual_net(torch.cat([mean, mixed], -1))


OLD = {"lstm": OldLstm, "gru": OldGru, "transformer": OldTransformer, "amn": OldAmn}


def shaken(module: nn.Module) -> nn.Module:
    """Weights that no initialisation would hide: biases and norms too."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "runs", progress=False)


def saved(module: nn.Module, path: Path, **beside: Any) -> Path:
    torch.save({"model_state_dict": module.state_dict(), **beside}, path)
    return path


def contexts() -> Tensor:
    rows = torch.randn(7, 5, D, generator=torch.Generator().manual_seed(2))
    return nn.functional.normalize(rows, dim=-1)


def widened(rows: Tensor, scale: float = 0.03) -> Tensor:
    channel = torch.linspace(0, 1, rows.shape[1])[:, None] * scale
    return torch.cat([rows, channel.expand(len(rows), -1, 1)], -1)


@pytest.mark.parametrize("extra", [0, 1], ids=["as wide as it predicts", "a channel for the position"])
@pytest.mark.parametrize("name", sorted(OLD))
def test_it_predicts_what_the_older_module_predicts(name: str, extra: int, lab: Lab, tmp_path: Path) -> None:
    if name == "amn" and extra:
        pytest.skip("the older AMN adds its answer to a mean of what it reads: it can be no wider")
    old = shaken(OLD[name](D + extra))
    made, found = lab.import_checkpoint(saved(old, tmp_path / "best.pt", model_type=name))
    rows = contexts()
    with torch.no_grad():
        expected = nn.functional.normalize(old(widened(rows) if extra else rows), dim=-1)
    assert made == tmp_path / "best.safetensors"
    assert load(made).predict(rows).numpy() == pytest.approx(expected.numpy(), abs=1e-6)
    assert found.model.recipe.arch.startswith(f"{name},")
    assert ("inputs 'pos:0.03'" in found.assumed) == bool(extra)


@pytest.mark.parametrize("name", sorted(OLD))
def test_tensors_alone_tell_the_architecture(name: str, lab: Lab, tmp_path: Path) -> None:
    torch.save({f"module._orig_mod.{key}": one for key, one in OLD[name](D).state_dict().items()}, tmp_path / "w.pt")
    _, found = lab.import_checkpoint(tmp_path / "w.pt", tmp_path / "w.safetensors")
    assert found.model.recipe.arch.startswith(f"{name},")


def test_heads_are_those_that_the_file_or_the_user_says(lab: Lab, tmp_path: Path) -> None:
    old = shaken(OldTransformer(D, heads=4))
    expected = nn.functional.normalize(old(contexts()), dim=-1).detach().numpy()
    told = lab.import_checkpoint(saved(old, tmp_path / "told.pt", model_config={"nhead": 4}))[1]
    asked = lab.import_checkpoint(saved(old, tmp_path / "asked.pt"), arch="transformer,heads=4")[1]
    guessed = lab.import_checkpoint(saved(old, tmp_path / "guessed.pt"))[1]
    for found in (told, asked):
        assert found.assumed == ()
        assert found.model.predict(contexts()).numpy() == pytest.approx(expected, abs=1e-6)
    assert guessed.assumed == ("heads=8",)
    assert guessed.model.predict(contexts()).numpy() != pytest.approx(expected, abs=1e-3)


def test_where_it_comes_from_is_kept(lab: Lab, tmp_path: Path) -> None:
    facts = {"epoch": 3, "val_loss": np.float64(0.25), "note": "x" * 5000, "args": {"lr": 5e-4, "list": [1]}}
    made, _ = lab.import_checkpoint(saved(OldGru(D), tmp_path / "best.pt", model_type="gru", **facts))
    imported = read_model_header(made)[1]["imported"]
    assert imported["file"] == "best.pt"
    assert imported["digest"].startswith("sha256:")
    assert imported["facts"] == {"model_type": "gru", "epoch": 3, "val_loss": 0.25, "lr": 5e-4}


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch evil",)


def test_nothing_in_it_is_run(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(OldGru(D), tmp_path / "evil.pt", more=Evil())
    with pytest.raises(LvmError, match=r"more than tensors and plain values: .*system"):
        lab.import_checkpoint(path)
    assert {file.name for file in tmp_path.iterdir()} == {"evil.pt"}


def broken(path: Path, how: str) -> None:
    saved(OldLstm(D), path)
    whole = path.read_bytes()
    if how == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "text":
        path.write_text("no checkpoint")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "pickle":
        path.write_bytes(pickle.dumps({"model_state_dict": 3}))
    elif how == "compressed":
        with zipfile.ZipFile(path) as held, zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as out:
            for name in held.namelist():
                out.writestr(name, held.read(name))
        path.with_suffix(".zip").replace(path)
    elif how == "no tensors":
        torch.save({"model_state_dict": {"a": 3}}, path)
    elif how == "a list":
        torch.save([1, 2], path)
    elif how == "half a model":
        torch.save({key: one for key, one in OldLstm(D).state_dict().items() if "weight_hh_l1" not in key}, path)
    elif how == "no shapes":
        torch.save({key: torch.zeros(()) for key in OldTransformer(D).state_dict()}, path)
    elif how == "a million layers":
        held = OldGru(D).state_dict()
        torch.save({key.replace("blocks.2", "blocks.999999"): one for key, one in held.items()}, path)
    elif how == "more than it holds":
        held = OldGru(D).state_dict()
        torch.save({key: torch.zeros(1).expand(10**6, 10**6) for key in held}, path)
    elif how == "another's":
        torch.save({"conv.weight": torch.zeros(3)}, path)
    else:
        path.unlink()


HOWS = (
    "truncated", "text", "empty", "pickle", "compressed", "no tensors", "a list", "half a model", "no shapes",
    "a million layers", "more than it holds", "another's", "missing",
)  # fmt: skip


@pytest.mark.parametrize("how", HOWS)
def test_what_is_no_such_checkpoint_is_said(how: str, lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "bad.pt"
    broken(path, how)
    with pytest.raises(LvmError) as error:
        lab.import_checkpoint(path)
    assert error.value.where
    assert str(path) in error.value.where
    assert not path.with_suffix(".safetensors").exists()


def test_a_file_that_is_there_stays(lab: Lab, tmp_path: Path) -> None:
    path = saved(OldGru(D), tmp_path / "best.pt")
    made, _ = lab.import_checkpoint(path)
    with pytest.raises(LvmError, match="exists already"):
        lab.import_checkpoint(path)
    assert lab.import_checkpoint(path, force=True)[0] == made
