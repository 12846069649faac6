"""Yardsticks' figures, kept by what they were measured on: they cost as much as a model's and never change."""

from __future__ import annotations

import hashlib
import inspect
from functools import cache as once
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import safetensors
import safetensors.numpy

from lvmcore.data.corpus import Corpus
from lvmcore.data.keys import mix
from lvmcore.data.store.contents import scales_of
from lvmcore.data.windows import Windows
from lvmcore.errors import LvmError
from lvmcore.evaluation.settings import Settings
from lvmcore.files import cache_folder, is_private, make_private, to_json, write_whole
from lvmcore.records import read_header
from lvmcore.registry import Registered

if TYPE_CHECKING:
    from lvmcore.evaluation.checks import Check

Found = tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]
"""A document and its per-window figures by split."""


class YardstickCache:
    """One yardstick's figures on one corpus, under the settings and the code that measured them."""

    def __init__(
        self, digest: str, registered: Registered, settings: Settings, checks: list[Check], baseline: type | None
    ) -> None:
        tests = [f"{check.component!r} {_code(type(check.component))}" for check in checks]
        code = [_code(registered.component), *tests, _evaluator()]
        code += [_code(baseline)] if baseline else []  # what gain and direction are measured against
        # the profile judges the figures, it does not change them
        settings, plugin = attrs.evolve(settings, profile="", keep_yardsticks=True), registered.plugin
        key = [digest, repr(settings), plugin.label, plugin.version, *code]
        name = hashlib.sha256("\n".join(key).encode()).hexdigest()[:32]
        self.path = cache_folder() / "yardsticks" / f"{registered.name}-{name}.safetensors"

    def read(self) -> Found | None:
        """What was kept; None where nothing was, where it is damaged, or where somebody else may have written it."""
        try:
            if not (is_private(self.path.parent) and is_private(self.path)):
                return None
            header = read_header(self.path)
            with safetensors.safe_open(str(self.path), framework="numpy") as file:
                flat = {key: file.get_tensor(key) for key in header.tensors}
            text = header.metadata["lvm"]
            if header.metadata["digest"] != self._digest(text, flat):
                return None
            columns: dict[str, dict[str, np.ndarray]] = {split: {} for split in header.about["splits"]}
            for key, column in flat.items():
                split, name = key.split("/", 1)
                columns[split][name] = column
        except (LvmError, OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
            return None
        return header.about, columns

    def write(self, document: dict[str, Any], columns: dict[str, dict[str, np.ndarray]]) -> None:
        """Keep it; a cache that can't be written is no reason to stop."""
        flat = {f"{split}/{name}": column for split, found in columns.items() for name, column in found.items()}
        text = to_json(document, indent=None)
        try:
            make_private(self.path.parent)
            held = safetensors.numpy.save(flat, metadata={"lvm": text, "digest": self._digest(text, flat)})
            write_whole(self.path, held)
        except (LvmError, OSError):
            return

    def _digest(self, text: str, flat: dict[str, np.ndarray]) -> str:
        """Of all that an entry holds, and of what it is an entry for: another's, or a damaged one, has another."""
        state = hashlib.sha256(f"{self.path.name}\n{text}\n".encode())
        for key in sorted(flat):
            state.update(f"{key} {flat[key].dtype} {flat[key].shape}\n".encode())
            state.update(np.ascontiguousarray(flat[key]).data)
        return state.hexdigest()


def _code(component: type) -> str:
    """The source of a component's module, so that an edited yardstick is measured again."""
    try:
        return Path(inspect.getfile(component)).read_text("utf-8")
    except (OSError, TypeError):
        return component.__qualname__


@once
def _evaluator() -> str:
    """The source of the evaluator and of the rows and windows that it reads, and the libraries they compute with."""
    held = (Corpus, Windows, mix, scales_of)
    files = [*sorted(Path(__file__).parent.rglob("*.py")), *(Path(inspect.getfile(one)) for one in held)]
    versions = [f"{library} {version(library)}" for library in ("torch", "numpy")]
    return "\n".join([*versions, *(file.read_text("utf-8") for file in files)])
