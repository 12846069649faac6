"""A model as one safetensors file: its weights, and a header that alone rebuilds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import safetensors
import safetensors.torch
import torch

from lvmcore.bounds import Bounds, TooMuchError
from lvmcore.errors import LvmError, because
from lvmcore.files import digest_of_file, to_json, write_whole
from lvmcore.model import LatentVectorModel, build_model, restore
from lvmcore.model_header import KIND, SCHEMA, ModelHeader, Need, read_model_header
from lvmcore.plugins import FILE, Plugin
from lvmcore.registry import Registry

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
    header = {"schema": SCHEMA, "kind": KIND, **attrs.asdict(model.recipe), **about}
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    return safetensors.torch.save(weights, metadata={"lvm": to_json(header, indent=None)})


def load_model(path: Path, registry: Registry) -> tuple[LatentVectorModel, dict[str, Any]]:
    """Rebuild a model from its file alone; gives the header as well.

    It is built without memory first and held against the tensors in the file, so that no header makes lvm build
    anything that the file does not hold.

    Raises:
        LvmError: missing, truncated, no model, weights that do not fit, or a plugin that it needs is missing.
    """
    header, about, file = read_model_header(path)
    shapes = {name: shape for name, (_, shape) in file.tensors.items()}
    recipe = header.arch, header.inputs, header.dim, header.context, registry
    try:
        # its fresh weights are thrown away: nobody else's numbers change
        with torch.random.fork_rng(devices=[]), Bounds.of_file(len(shapes), path.stat().st_size).kept():
            _require_fit(shapes, _planned(*recipe), path)
            model = build_model(*recipe)
            _require_fit(shapes, _shapes(model), path)
        with safetensors.safe_open(str(path), framework="pt") as held:
            model.load_state_dict({name: held.get_tensor(name) for name in shapes})
    except LvmError as problem:
        if str(path) not in (problem.where or ""):
            problem.where = f"{path}: {problem.where}" if problem.where else str(path)
        raise _missing_plugin(header, registry, path) or problem from None
    except TooMuchError as problem:
        raise _no_fit(f"it asks for {problem}, and the file is of {path.stat().st_size:,}", path) from None
    except (safetensors.SafetensorError, OSError) as problem:
        raise LvmError(f"the weights cannot be read: {problem}", where=str(path)) from None
    except Exception as problem:  # whatever a component, of which anybody may have written, makes of the options
        raise LvmError(
            f"the model cannot be built as its header says: {because(problem)}",
            where=str(path),
            expected=f"{header.arch} with inputs '{header.inputs}', D = {header.dim} and C = {header.context}",
        ) from None
    return model.eval(), about


def begin_from(model: LatentVectorModel, path: Path, registry: Registry) -> dict[str, Any]:
    """Give a model the weights of a file; its inputs keep the strengths of their own schedules. Says whose they are.

    Raises:
        LvmError: no model, or weights of other names or shapes, each of them told.
    """
    other, header = load_model(path, registry)
    if told := _unlike(_shapes(other), _shapes(model), "{name} is {held}, and {wanted} was expected", "nothing"):
        raise LvmError(
            f"the weights to begin with do not fit the model: {told}",
            where=f"{path}: {other.recipe.arch}",
            expected=model.recipe.arch,
            fix="the same architecture, inputs and width of vectors",
        )
    restore(model, other)
    return {
        "file": str(path), "digest": digest_of_file(path), "run": header.get("run"), "arch": other.recipe.arch,
    }  # fmt: skip


Shapes = dict[str, tuple[int, ...]]
"""Name of a tensor → its shape."""


def _planned(arch: str, inputs: str, dim: int, context: int, registry: Registry) -> Shapes | None:
    """The tensors of a model that is built on `meta`, of shapes alone; None of one that can't be."""
    try:
        with torch.device("meta"):
            return _shapes(build_model(arch, inputs, dim, context, registry))
    except (LvmError, TooMuchError):
        raise
    except Exception:  # it looks at a number, perhaps; building it truly tells what is wrong
        return None


def _shapes(model: LatentVectorModel) -> Shapes:
    return {name: tuple(held.shape) for name, held in model.state_dict().items()}


def _require_fit(held: Shapes, wanted: Shapes | None, path: Path) -> None:
    """See that the tensors in a file are those of its model."""
    if wanted is not None and (told := _unlike(held, wanted, "{name} is {held}, not {wanted}", "there")):
        raise _no_fit(told, path)


def _unlike(held: Shapes, wanted: Shapes, says: str, absent: str) -> str:
    """What is said of the tensors that are not as they should be; nothing where all are.

    Args:
        says: of one of them.
        absent: what stands for the shape of one that is not wanted.
    """
    wrong = [name for name in wanted | held if held.get(name) != wanted.get(name)]
    told = [says.format(name=name, held=held.get(name, "not there"), wanted=wanted.get(name, absent)) for name in wrong]
    return "; ".join(told[:NAMED]) + (f"; and {len(told) - NAMED} more" if len(told) > NAMED else "")


def _no_fit(why: str, path: Path) -> LvmError:
    return LvmError(f"the weights do not fit the header: {why}", where=str(path))


def _missing_plugin(header: ModelHeader, registry: Registry, path: Path) -> LvmError | None:
    loaded = {(plugin.dist, plugin.name) for plugin in registry.plugins.found if plugin.status == "ok"}
    missing = [need for need in header.plugins if (need.dist, need.plugin) not in loaded]
    if not missing:
        return None
    names = ", ".join(f"{need.dist} {need.version} (plugin {need.plugin})" for need in missing)
    ways = [_way_to(need, registry.plugins.found) for need in missing]
    return LvmError(
        f"the model needs a plugin that is not loaded: {names}", where=str(path), fix="; ".join(dict.fromkeys(ways))
    )


def _way_to(need: Need, found: list[Plugin]) -> str:
    """What makes a missing plugin be there; nobody is told to type what only the file says."""
    if not need.is_plain:
        return "lvm plugins"
    if need.version == FILE:
        return f"--plugin {need.dist}"
    for plugin in found:
        if (plugin.dist, plugin.name) == (need.dist, need.plugin):  # it is installed, but off or broken
            return f"lvm plugins ({plugin.label} is {plugin.status}: {plugin.reason})"
    return f"pip install {need.dist}=={need.version}, if you trust who wrote the file"
