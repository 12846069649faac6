"""The record of an epoch of many steps."""

from __future__ import annotations

import gc
import json

import pytest
import torch

from lvmcore.training.epoch import EpochRecord
from lvmcore.training.objective import Value
from lvmcore.trees import pack, unpack


def record_of(steps: int) -> tuple[EpochRecord, list[tuple[float, float, int]]]:
    """A record, and what it was told: raw value, norm and windows of each step."""
    record = EpochRecord(1, "", 1e-3)
    return record, tell(record, steps, torch.Generator().manual_seed(0))


def tell(record: EpochRecord, steps: int, generator: torch.Generator) -> list[tuple[float, float, int]]:
    told = []
    for _ in range(steps):
        raw, norm = torch.rand(2, generator=generator)
        windows = int(torch.randint(1, 65, (), generator=generator))
        record.step({"mse": Value(raw=raw, weighted=raw * 2, strength=2.0)}, norm, windows)
        told.append((float(raw), float(norm), windows))
    return told


@pytest.mark.parametrize("steps", [1, 4096, 9000])
def test_the_means_are_those_of_a_plain_loop(steps: int) -> None:
    record, told = record_of(steps)
    document = record.document({}, 1.0)
    count = sum(windows for *_, windows in told)
    mean = sum(raw * windows for raw, _, windows in told) / count
    assert document["terms"]["mse"]["raw"] == pytest.approx(mean, rel=1e-12)
    assert document["loss"] == pytest.approx(2 * mean, rel=1e-12)
    assert document["gradient_norm"] == pytest.approx(sum(norm for _, norm, _ in told) / steps, rel=1e-5)
    assert (document["steps"], document["windows"]) == (steps, count)


def test_a_record_goes_on_from_its_state_and_the_state_of_many_steps_has_a_small_header() -> None:
    whole, _ = record_of(9000)
    generator = torch.Generator().manual_seed(0)
    begun = EpochRecord(1, "", 1e-3)
    tell(begun, 5000, generator)
    plain, tensors = pack(begun.state_dict(), "record")
    assert len(json.dumps(plain)) < 1000
    record = EpochRecord.of(unpack(plain, tensors))
    tell(record, 4000, generator)
    for one in (record, whole):
        one.seconds = 1.0
    assert record.document({}, 1.0) == whole.document({}, 1.0)


def test_a_step_leaves_no_tensor_of_its_own() -> None:
    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(held), torch.Tensor) for held in gc.get_objects())

    before = tensors()
    record, _ = record_of(3 * 4096)
    assert tensors() - before < 50
    assert record.document({}, 1.0)["steps"] == 3 * 4096
