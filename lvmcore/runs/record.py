"""What stands in a run's files, by its types: a folder may be anybody's, or damaged. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from lvmcore.errors import LvmError
from lvmcore.model_header import TrainedOn
from lvmcore.records import checked, read_json, read_json_lines

SCHEMA = 1


@attrs.frozen
class _Stage:
    name: str
    epochs: int | None = None


@attrs.frozen
class _Variant:
    """What the reports tell of it; what makes it again is read by the catalogue."""

    name: str = ""
    title: str = ""
    approach: str = ""
    arch: str = ""
    loss: str = ""
    inputs: str = ""
    sampler: str = ""
    data: str = ""
    gates: str = ""
    schedule: str | None = None
    best: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    stages: tuple[_Stage, ...] = ()


@attrs.frozen
class _Recipe:
    arch: str = ""
    inputs: str = ""


@attrs.frozen
class _Windows:
    train: int
    val: int


@attrs.frozen
class _Best:
    epoch: int
    metric: str
    value: float | None = None


@attrs.frozen
class _Machine:
    processor: str = ""


@attrs.frozen
class _Record:
    """`run.json`."""

    name: str
    status: str
    schema: int = SCHEMA
    reason: str = ""
    note: str = ""
    started: str = ""
    command: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    overrides: dict[str, Any] | None = None
    variant: _Variant | None = None
    recipe: _Recipe | None = None
    corpus: TrainedOn | None = None
    windows: _Windows | None = None
    best: _Best | None = None
    machine: _Machine | None = None
    seed: int | None = None
    parameters: int | None = None
    seconds: float | None = None
    size: str | None = None
    precision: str | None = None
    compile: bool = False
    on_collapse: str | None = None
    ignore_gates: bool = False


@attrs.frozen
class _Term:
    strength: float | None = None
    raw: float | None = None
    weighted: float | None = None
    gradient: float | None = None


@attrs.frozen
class _Epoch:
    """A line of `epochs.jsonl`. Further figures may stand in it."""

    epoch: int
    stage: str | None = None
    windows: int | None = None
    val_cos: float | None = None
    margin: float | None = None
    best: bool = False
    terms: dict[str, _Term] = attrs.field(factory=dict)
    inputs: dict[str, float] = attrs.field(factory=dict)
    events: tuple[str, ...] = ()


@attrs.frozen
class _Epochs:
    line: tuple[_Epoch, ...]


def read_record(file: Path) -> dict[str, Any]:
    """What `run.json` holds.

    Raises:
        LvmError: it cannot be read, is of a newer lvm, or holds something else than it should.
    """
    record = read_json(file)
    if isinstance(record, dict) and isinstance(schema := record.get("schema"), int) and schema > SCHEMA:
        raise LvmError("the run was made by a newer lvm", where=str(file), fix="pip install -U lvmcore")
    checked(record, _Record, str(file), "the file is no record of a run")
    return record


def read_epochs(file: Path) -> list[dict[str, Any]]:
    """What `epochs.jsonl` holds.

    Raises:
        LvmError: it cannot be read, or holds something else than it should.
    """
    lines = read_json_lines(file)
    checked({"line": lines}, _Epochs, str(file), "the file holds something else than epochs")
    return lines
