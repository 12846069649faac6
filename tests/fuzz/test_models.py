"""Any bytes at all are a model or an error of ours, at once and in little memory, whatever the header asks for.

By default a few hundred inputs each; `LVM_FUZZ=20000 pytest tests/fuzz -s` takes as many as it is told, and each time
others.
"""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from mutation import FUZZ, INPUTS, altered, mutated

from lvmcore.checkpoint import load_model, save_model
from lvmcore.errors import LvmError
from lvmcore.model import build_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

REGISTRY = Registry(Plugins(only=()))
SLOWEST, LARGEST = 2.0, 300_000
"""Seconds of the processor, and KiB, that a file of some kilobytes may take."""

NAMES = [found.name for found in REGISTRY.all("architecture")]
NUMBERS = st.one_of(st.integers(-2, 9), st.sampled_from([2**20, 10**8, 2**31, 2**63, 10**30]), st.floats())
TERMS = st.builds(
    lambda name, options: ",".join([name, *(f"{key}={value}" for key, value in options.items())]),
    st.sampled_from([*NAMES, "pos", "nobody"]),
    st.dictionaries(st.sampled_from(["d_model", "hidden", "layers", "heads", "ffn", "alpha", "dropout"]), NUMBERS),
)
EXPRESSIONS = st.lists(TERMS, max_size=4).map("+".join)
INPUT_TERMS = st.lists(st.sampled_from(["pos", "pos:1e30", "drop:0.5", "noise", "x", "pos,ramp=9"]), max_size=4)


def headers(sound: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Headers that ask for another model, or are none."""
    asked = st.fixed_dictionaries(
        {},
        optional={
            "arch": EXPRESSIONS,
            "inputs": INPUT_TERMS.map("+".join),
            "dim": NUMBERS,
            "context": NUMBERS,
        },
    )
    return st.one_of(asked.map(lambda changes: sound | changes), altered(sound))


@pytest.mark.parametrize("arch", ["amn", "transformer+residual", "lstm", "gru", "mixture"])
def test_any_bytes_are_a_model_or_an_error(arch: str, tmp_path: Path) -> None:
    path, counts = tmp_path / "m.safetensors", Counter(dict.fromkeys(("inputs", "models", "errors"), 0))
    model = build_model(arch, "pos", 8, 5, REGISTRY, "toy")
    save_model(path, model, {"run": "r", "corpus": {"name": "c", "digest": "d"}, "data": "wiki"})
    sound = path.read_bytes()
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with safetensors.safe_open(str(path), framework="pt") as file:
        header = json.loads(file.metadata()["lvm"])
    made = headers(header).map(lambda held: safetensors.torch.save(weights, {"lvm": json.dumps(held)}))
    context = torch.randn(2, 5, 8)

    @FUZZ
    @given(st.one_of(made, made, made, mutated(sound), st.just(sound), st.binary(max_size=200)))
    def load(content: bytes) -> None:
        counts["inputs"] += 1
        path.write_bytes(content)
        began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            found = load_model(path, REGISTRY)[0]
        except LvmError as problem:
            counts["errors"] += str(path) in (problem.where or "")
        else:
            counts["models"] += 1
            if (found.shape.context, found.shape.dim) == (5, 8):
                found(context)
        assert time.process_time() - began < SLOWEST
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < LARGEST

    load()
    print(f"\nmodel {arch}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
    assert counts["inputs"] >= INPUTS
    assert counts["models"]
    assert counts["errors"] == counts["inputs"] - counts["models"], "an error says which file"
