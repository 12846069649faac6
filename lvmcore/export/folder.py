"""An exported folder, as the Hugging Face Hub takes it: model.safetensors, config.json, README.md, and graphs."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lvmcore.checkpoint import load_model
from lvmcore.errors import LvmError, MachineError
from lvmcore.export.card import Card
from lvmcore.files import to_json
from lvmcore.plain import clean
from lvmcore.registry import Registry
from lvmcore.report.details import Details

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
GRAPHS = {"onnx": "model.onnx", "torch-export": "model.pt2"}
"""Format → the file that it writes beside the weights."""


def export(
    weights: Path,
    folder: Path,
    registry: Registry,
    *,
    name: str,
    evaluation: dict[str, Any] | None = None,
    details: Details | None = None,
    formats: Iterable[str] = (),
    licence: str = "",
) -> list[Path]:
    """Write a folder, whole or not at all.

    Args:
        weights: a file of ours; it goes into the folder byte for byte.
        formats: `onnx`, `torch-export`.
        licence: of the weights.

    Raises:
        LvmError: the folder is there already, the model cannot be read, or no graph can be drawn of it.
    """
    formats = list(dict.fromkeys(formats))
    if wrong := [form for form in formats if form not in GRAPHS]:
        raise LvmError(f"there is no format '{wrong[0]}'", expected=", ".join(GRAPHS))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LvmError("the folder is there already", where=str(folder), expected="a new one, or an empty one")
    model, header = load_model(weights, registry)
    files = tuple(GRAPHS[form] for form in formats)
    card = Card(
        name=name,
        header=header,
        evaluation=evaluation or {},
        details=details,
        registry=registry,
        licence=licence,
        files=files,
    )
    config = {"model_type": "lvm", "architectures": ["LatentVectorModel"], **header}
    partly = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        partly.mkdir(parents=True)
        shutil.copyfile(weights, partly / WEIGHTS)
        (partly / CONFIG).write_text(to_json(config) + "\n", "utf-8")
        (partly / CARD).write_text(clean(card.text()), "utf-8")
        if formats:
            from lvmcore.export.graph import write_onnx, write_program

            writers = {"onnx": write_onnx, "torch-export": write_program}
            for form in formats:
                writers[form](model, partly / GRAPHS[form])
        os.replace(partly, folder)  # onto nothing, or an empty folder
    except OSError as problem:
        raise MachineError(
            f"the folder cannot be written: {problem.strerror or problem}",
            where=str(folder),
            fix="make room, or another folder; nothing of it was left behind",
        ) from None
    finally:
        shutil.rmtree(partly, ignore_errors=True)
    return [folder / file for file in (WEIGHTS, CONFIG, CARD, *files)]
