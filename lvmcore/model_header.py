"""What a model file says of itself, in its header. Needs no torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
from attrs.validators import ge, in_, max_len

from lvmcore.errors import LvmError
from lvmcore.records import Header, checked, read_header

SCHEMA = 1
KIND = "model"

_WORD = re.compile(r"[A-Za-z0-9][\w.+!-]{0,98}", re.ASCII)


@attrs.frozen
class Need:
    """A plugin that built the model."""

    dist: str
    plugin: str
    version: str

    @property
    def is_plain(self) -> bool:
        """Whether all of it can be quoted in an advice, because no shell takes it for more than words."""
        return all(map(_WORD.fullmatch, (self.dist, self.plugin, self.version)))


@attrs.frozen
class TrainedOn:
    """A corpus."""

    name: str = ""
    digest: str = ""


@attrs.frozen(kw_only=True)
class ModelHeader:
    """All that is needed to build a model again, and where it comes from."""

    kind: str = attrs.field(validator=in_((KIND,)))
    schema: int
    arch: str = attrs.field(validator=max_len(1 << 16))
    inputs: str = attrs.field(validator=max_len(1 << 16))
    dim: int = attrs.field(validator=ge(1))
    context: int = attrs.field(validator=ge(1))
    plugins: tuple[Need, ...] = ()
    run: str = ""
    corpus: TrainedOn | None = None
    data: str = ""
    """The corpus as it was asked for: a path on another machine, perhaps."""


def read_model_header(path: Path) -> tuple[ModelHeader, dict[str, Any], Header]:
    """The header of a model file: what is known of it, all that it holds, and its tensors.

    Raises:
        LvmError: not there, no safetensors file, no model, one of a newer lvm, or values of wrong types.
    """
    if not path.exists():
        raise LvmError("there is no such model file", where=str(path), fix="lvm runs")
    header = read_header(path)
    about = header.about
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise LvmError("the file is no lvm model", where=str(path), fix=f"lvm show {path}")
    if isinstance(schema := about.get("schema"), int) and schema > SCHEMA:
        raise LvmError("the model was written by a newer lvm", where=str(path), fix="pip install -U lvmcore")
    return checked(about, ModelHeader, str(path), "the header of the model cannot be read"), about, header
