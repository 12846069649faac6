"""How many inputs a fuzz takes, and sound files made unsound."""

from __future__ import annotations

import os

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
