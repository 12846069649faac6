"""A model as one safetensors file: its weights, and a header that alone rebuilds it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import attrs
import safetensors
import safetensors.torch
import torch

from lvmcore.errors import LvmError
from lvmcore.files import to_json, write_whole
from lvmcore.model import LatentVectorModel, build_model, restore
from lvmcore.plugins import FILE, Plugin
from lvmcore.registry import Registry

SCHEMA = 1
NAMED = 4
"""Tensors that do not fit, of which an error tells."""


def save_model(path: Path, model: LatentVectorModel, about: dict[str, Any]) -> None:
    """Write weights and everything needed to rebuild the model: one safetensors file, whole or not at all."""
    write_whole(path, model_bytes(model, about))


def model_bytes(model: LatentVectorModel, about: dict[str, Any]) -> bytes:
    """The file of a model.

    Args:
        about: further facts for the header, such as the run, the corpus and the epoch.
    """
    header = {"schema": SCHEMA, "kind": "model", **attrs.asdict(model.recipe), **about}
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    return safetensors.torch.save(weights, metadata={"lvm": to_json(header, indent=None)})


def load_model(path: Path, registry: Registry) -> tuple[LatentVectorModel, dict[str, Any]]:
    """Rebuild a model from its file alone; gives the header as well.

    Raises:
        LvmError: missing, truncated, no model, or a plugin that it needs is missing.
    """
    if not path.is_file():
        raise LvmError("there is no such model file", where=str(path), fix="lvm runs")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("lvm", "{}"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as problem:
        raise LvmError(f"the model cannot be read; it may be truncated: {problem}", where=str(path)) from None
    if not isinstance(header, dict) or header.get("kind") != "model":
        raise LvmError("the file is no lvm model", where=str(path), fix=f"lvm show {path}")
    if header.get("schema", 0) > SCHEMA:
        raise LvmError("the model was written by a newer lvm", where=str(path), fix="pip install -U lvmcore")
    try:
        with torch.random.fork_rng(devices=[]):  # its fresh weights are thrown away: nobody else's numbers change
            model = build_model(header["arch"], header["inputs"], header["dim"], header["context"], registry)
        model.load_state_dict(weights)
    except LvmError as problem:
        raise _missing_plugin(header, registry, path) or problem from None
    except (KeyError, RuntimeError) as problem:
        raise LvmError(f"the weights do not fit the header: {problem}", where=str(path)) from None
    return model.eval(), header


def begin_from(model: LatentVectorModel, path: Path, registry: Registry) -> dict[str, Any]:
    """Give a model the weights of a file; its inputs keep the strengths of their own schedules. Says whose they are.

    Raises:
        LvmError: no model, or weights of other names or shapes, each of them told.
    """
    other, header = load_model(path, registry)
    own, theirs = ({name: tuple(held.shape) for name, held in one.state_dict().items()} for one in (model, other))
    wrong = [
        f"{name} is {theirs.get(name, 'not there')}, and {own.get(name, 'nothing')} was expected"
        for name in own | theirs
        if own.get(name) != theirs.get(name)
    ]
    if wrong:
        told = "; ".join(wrong[:NAMED]) + (f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else "")
        raise LvmError(
            f"the weights to begin with do not fit the model: {told}",
            where=f"{path}: {other.recipe.arch}",
            expected=model.recipe.arch,
            fix="the same architecture, inputs and width of vectors",
        )
    restore(model, other)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"file": str(path), "digest": f"sha256:{digest}", "run": header.get("run"), "arch": other.recipe.arch}


def _missing_plugin(header: dict[str, Any], registry: Registry, path: Path) -> LvmError | None:
    loaded = {(plugin.dist, plugin.name) for plugin in registry.plugins.found if plugin.status == "ok"}
    missing = [item for item in header.get("plugins", []) if (item["dist"], item["plugin"]) not in loaded]
    if not missing:
        return None
    names = ", ".join(f"{item['dist']} {item['version']} (plugin {item['plugin']})" for item in missing)
    ways = [_way_to(item, registry.plugins.found) for item in missing]
    return LvmError(
        f"the model needs a plugin that is not loaded: {names}", where=str(path), fix="; ".join(dict.fromkeys(ways))
    )


def _way_to(item: dict[str, str], found: list[Plugin]) -> str:
    """What makes a missing plugin be there."""
    if item["version"] == FILE:
        return f"--plugin {item['dist']}"
    for plugin in found:
        if (plugin.dist, plugin.name) == (item["dist"], item["plugin"]):  # it is installed, but off or broken
            return f"lvm plugins ({plugin.label} is {plugin.status}: {plugin.reason})"
    return f"pip install {item['dist']}=={item['version']}"
