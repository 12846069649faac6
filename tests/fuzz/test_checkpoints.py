"""Any bytes at all are a checkpoint of the older tools, or an error of ours; nothing is run, and nothing is left."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st
from mutation import FUZZ, INPUTS, mutated
from torch import nn

from lvmcore.errors import LvmError
from lvmcore.foreign import Foreign, adopt
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

REGISTRY = Registry(Plugins(only=()))


def sound() -> bytes:
    """The smallest of the older tools' files: one LSTM layer."""
    tensors = {f"lstm.{name}": one for name, one in nn.LSTM(3, 2).state_dict().items()}
    tensors |= {f"output_proj.{name}": one for name, one in nn.Linear(2, 3).state_dict().items()}
    file = io.BytesIO()
    torch.save({"model_type": "lstm", "model_state_dict": tensors, "epoch": 3}, file)
    return file.getvalue()


def repacked(pickled: bytes) -> bytes:
    """The sound file with another pickle in it, its checksums in order."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SOUND)) as held, zipfile.ZipFile(out, "w") as archive:
        for name in held.namelist():
            archive.writestr(name, pickled if name == PICKLE else held.read(name))
    return out.getvalue()


SOUND = sound()
with zipfile.ZipFile(io.BytesIO(SOUND)) as archive:
    PICKLE = next(name for name in archive.namelist() if name.endswith("data.pkl"))
    PICKLED = archive.read(PICKLE)

ANY = st.one_of(st.binary(max_size=300), mutated(SOUND), mutated(PICKLED), mutated(PICKLED).map(repacked))


def test_any_bytes_are_a_checkpoint_or_an_error(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    path = tmp_path / "any.pt"

    @FUZZ
    @given(ANY)
    def read(data: bytes) -> None:
        counts["inputs"] += 1
        path.write_bytes(data)
        try:
            adopt(Foreign.read(path), REGISTRY)
            counts["models"] += 1
        except LvmError as problem:
            counts["errors"] += str(path) in (problem.where or "")

    read()
    print(dict(counts))
    assert counts["inputs"] >= INPUTS
    assert counts["models"]
    assert counts["errors"] == counts["inputs"] - counts["models"], "an error says which file"
    assert list(tmp_path.iterdir()) == [path]
