"""How many inputs a fuzz takes, and sound files made unsound."""

from __future__ import annotations

import os
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

INPUTS = int(os.environ.get("LVM_FUZZ", "200"))
FUZZ = settings(
    max_examples=INPUTS,
    derandomize="LVM_FUZZ" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SLOW = settings(FUZZ, max_examples=max(1, INPUTS // 4))
"""For inputs that take some hundredths of a second each."""


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """A sound file with some bytes changed, left out, doubled or cut off."""
    held = bytearray(data)
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, max(0, len(held) - 1)))
        match draw(st.sampled_from(["set", "drop", "double", "cut", "add"])):
            case "set":
                held[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "drop":
                del held[at : at + draw(st.integers(1, 40))]
            case "double":
                held[at:at] = held[at : at + draw(st.integers(1, 200))] * draw(st.integers(1, 20))
            case "cut":
                del held[at + 1 :]
            case "add":
                held[at:at] = draw(st.binary(max_size=8))
    return bytes(held)


ODD: list[Any] = [
    None, True, False, 0, -1, 10**30, 0.5, float("nan"), float("inf"), "", "x", "\ud800", "9" * 400,
    "\x1b[2J\nlvm: note: y", [], [1], ["x"], [[]], {}, {"value": 1}, {"value": "x", "low": None, "high": None},
    {"name": 3}, [{}],
]  # fmt: skip
"""What may stand where something else is expected."""


@st.composite
def altered(draw: st.DrawFn, document: Any) -> Any:
    """A sound document of plain data in which some values are others, are not there, or have other keys."""
    held = deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        node = held
        while True:
            keys = list(node) if isinstance(node, dict) else range(len(node))
            key = draw(st.sampled_from(list(keys)))
            if not (isinstance(node[key], dict | list) and node[key]) or draw(st.integers(0, 3)) == 0:
                break
            node = node[key]
        match draw(st.sampled_from(["odd", "odd", "odd", "gone", "name"])):
            case "odd":
                node[key] = deepcopy(draw(st.sampled_from(ODD)))
            case "gone" if len(node) > 1:
                del node[key]
            case "name" if isinstance(node, dict):
                node[draw(st.sampled_from(["x", "val", "value", "A", "\x1b[2J", "0"]))] = node.pop(key)
    return held
