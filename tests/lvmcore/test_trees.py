"""Nested values as one file: they come back as they were, or are refused with the place at fault."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from lvmcore.errors import LvmError
from lvmcore.trees import pack, read_tree, unpack, write_tree

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 99)))) * 50
    return drawn.to(draw(st.sampled_from(DTYPES)))


texts = st.text(st.characters(exclude_categories=()), max_size=8)  # lone surrogates too
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.binary(max_size=8), tensors())
keys = st.one_of(
    texts, st.integers(), st.booleans(), st.tuples(st.integers(), texts), st.sampled_from(["$tensor", "$x"])
)
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=3),
        st.builds(OrderedDict, st.dictionaries(keys, inner, max_size=2)),
        st.sets(st.one_of(st.integers(), texts), max_size=3),
        st.builds(Counter, st.lists(st.integers(0, 3))),
    ),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    """Equal in type and value, to the bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        as_bytes = lambda held: held.contiguous().flatten().view(torch.uint8)  # noqa: E731
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(as_bytes(one), as_bytes(other))
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one.items(), other.items(), strict=True))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@example(tree={"\ud800": b"", "a": {1: torch.ones(1), "1": torch.zeros(2)}})
@given(tree=st.dictionaries(texts, values, max_size=4))
def test_a_value_comes_back_as_it_was(tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "tree.safetensors"
    write_tree(path, "try", tree)
    assert same(read_tree(path, "try"), tree)


def test_its_tensors_lie_flat_in_the_file_under_where_they_stand(tmp_path: Path) -> None:
    held = {"state": {0: {"exp_avg": torch.ones(2, 3), "step": torch.tensor(4.0)}}, "rates": [0.1, math.inf]}
    write_tree(tmp_path / "x", "optimizer", held)
    with safetensors.safe_open(str(tmp_path / "x"), framework="numpy") as file:
        assert set(file.keys()) == {"optimizer/state/0/exp_avg", "optimizer/state/0/step"}
        assert json.loads(file.metadata()["lvm"])["tree"]["rates"] == [0.1, {"$float": "inf"}]


OPTIMIZERS = [
    kind for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)
    and name not in ("Optimizer", "SparseAdam", "LBFGS")
]  # fmt: skip


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_every_optimizer_of_torch_can_be_kept(kind: Any) -> None:
    weight = torch.nn.Parameter(torch.ones(4, 6))
    optimizer = kind([weight], lr=0.1)
    for _ in range(2):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    assert same(unpack(*pack(optimizer.state_dict(), "optimizer")), optimizer.state_dict())


def test_schedules_of_torch_can_be_kept() -> None:
    schedules = torch.optim.lr_scheduler
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    optimizer.step()
    made = [
        schedules.MultiStepLR(optimizer, [3, 5]),
        schedules.OneCycleLR(optimizer, 0.1, total_steps=9),
        schedules.CyclicLR(optimizer, 0.01, 0.1),
        schedules.CosineAnnealingWarmRestarts(optimizer, 3),
        schedules.LambdaLR(optimizer, lambda step: 1 / (step + 1)),
        schedules.ReduceLROnPlateau(optimizer),
        schedules.SequentialLR(optimizer, [schedules.StepLR(optimizer, 2), schedules.ConstantLR(optimizer)], [3]),
        schedules.ChainedScheduler([schedules.StepLR(optimizer, 2), schedules.ExponentialLR(optimizer, 0.9)]),
    ]
    for one in made:
        held = one.state_dict()
        assert same(unpack(*pack(held, "schedule")), held), type(one).__name__


def test_an_array_comes_back_as_one() -> None:
    found = unpack(*pack({"a": np.arange(6).reshape(2, 3).T, "b": np.float32(0.5)}, "x"))
    assert isinstance(found["a"], np.ndarray)
    assert found["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["b"] == 0.5


class Mine:
    pass


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Mine(), "a Mine"),
        (len, "a builtin_function_or_method"),
        (lambda: 1, "a function"),
        (defaultdict(int), "a defaultdict"),
        (deque([1], 1), "a deque"),
        (complex(1, 2), "a complex"),
        (torch.ones(2, dtype=torch.complex64), "a tensor of torch.complex64"),
        (torch.ones(2, device="meta"), "on meta"),
        (torch.eye(2).to_sparse(), "torch.sparse_coo"),
        (np.array(["a"]), "a ndarray"),
        (CIRCLE, "what holds itself"),
    ],
)
def test_what_cannot_be_kept_is_told_with_its_place(value: Any, what: str) -> None:
    with pytest.raises(LvmError, match=f"{what}.* cannot be saved") as caught:
        pack({"state": [1, {"here": value}]}, "optimizer 'lion'")
    assert (caught.value.where or "").startswith("optimizer 'lion'/state/1")


@pytest.mark.parametrize("spoilt", [b"", b"\x00" * 7, b"\xff" * 8 + b"{}", b"\x02\0\0\0\0\0\0\0{}", None])
def test_a_damaged_file_is_an_error_that_names_it(spoilt: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_tree(path, "try", {"a": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-50] if spoilt is None else spoilt)
    with pytest.raises(LvmError) as caught:
        read_tree(path, "try")
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "header",
    ["[]", '{"kind": "try"}', '{"kind": "try", "schema": 1, "tree": {"$nonsense": 1}}', "{", "null",
     '{"kind": "try", "schema": 1, "tree": {"$tensor": "absent"}}', '{"kind": "try", "schema": "x", "tree": 1}',
     '{"kind": "try", "schema": 1, "tree": {"$dtype": ["x"]}}', "[" * 100_000],
)  # fmt: skip
def test_a_header_that_is_none_is_an_error_that_names_it(header: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(safetensors.serialize({}, metadata={"lvm": header}))
    with pytest.raises(LvmError) as caught:
        read_tree(tmp_path / "x", "try")
    assert caught.value.where == str(tmp_path / "x")


def test_a_file_of_a_newer_lvm_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(
        safetensors.serialize({}, metadata={"lvm": '{"kind": "try", "schema": 2, "tree": {}}'})
    )
    with pytest.raises(LvmError, match="newer lvm"):
        read_tree(tmp_path / "x", "try")
    with pytest.raises(LvmError, match="is no state"):
        read_tree(tmp_path / "x", "state")
