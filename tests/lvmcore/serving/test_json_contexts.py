"""JSON that is parsed in pieces means what the whole means."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lvmcore.serving.forms import json_contexts
from lvmcore.serving.refusal import Refusal

LENGTH, DIM = 2, 2
NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**25), 10**25))
CONTEXTS = st.lists(
    st.lists(st.lists(NUMBERS, min_size=DIM, max_size=DIM), min_size=LENGTH, max_size=LENGTH), min_size=1, max_size=30
)
STYLES = st.sampled_from(
    [{}, {"indent": 3}, {"separators": (",", ":")}, {"indent": "\t", "separators": ("\r\n,", " :")}]
)


@pytest.fixture(autouse=True)
def _tiny_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_contexts, "PIECE", 50)


def parsed(body: bytes) -> torch.Tensor:
    return torch.cat(list(json_contexts.json_contexts(bytearray(body), LENGTH, DIM)))


@given(CONTEXTS, STYLES)
def test_pieces_are_the_whole(contexts: list[list[list[float]]], style: dict[str, Any]) -> None:
    body = json.dumps({"contexts": contexts}, **style).encode()
    expected = torch.tensor([[[float(x) for x in row] for row in rows] for rows in contexts], dtype=torch.float64)
    assert torch.equal(parsed(body), expected)
    assert len(list(json_contexts._pieces(bytearray(body), 5000))) >= min(len(body) // 500, 3)


@given(CONTEXTS, STYLES, st.data())
def test_one_changed_byte_is_refused_or_still_contexts(
    contexts: list[list[list[float]]], style: dict[str, Any], data: st.DataObject
) -> None:
    body = bytearray(json.dumps({"contexts": contexts}, **style).encode())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.sampled_from(list(b'[]{},:"0 -e.x\\\x00\xff')))
    expected = plain(bytes(body))
    try:
        found = parsed(bytes(body))
    except Refusal:
        # a key may hold what stands between contexts; then a piece is none
        assert expected is None or b"]" in body.split(b'"')[1]
    else:
        assert expected is not None
        assert torch.equal(found, expected)


def plain(body: bytes) -> torch.Tensor | None:
    """The contexts by a parser of the whole, and a loop."""
    try:
        held = json.loads(body, parse_constant=int)
        rows = [row for context in held["contexts"] for row in context]
        sound = {type(x) for row in rows for x in row} <= {int, float}
        found = torch.tensor(
            [[[float(x) for x in row] for row in context] for context in held["contexts"]], dtype=torch.float64
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    return found if sound and held.keys() == {"contexts"} and found.shape[1:] == (LENGTH, DIM) else None


def test_numbers_count_on_through_the_pieces() -> None:
    contexts: list[Any] = [[[0.5] * DIM] * LENGTH for _ in range(40)]
    contexts[31] = [[0.5] * DIM, [0.5, "x"]]
    with pytest.raises(Refusal, match="place 1 of row 1 of context 31 is no number"):
        parsed(json.dumps({"contexts": contexts}).encode())


def test_the_place_of_a_fault_is_near_it() -> None:
    body = json.dumps({"contexts": [[[0.5] * DIM] * LENGTH] * 40}).encode()
    with pytest.raises(Refusal) as refused:
        parsed(body[:700] + b"?" + body[700:])
    assert refused.value.where is not None
    assert abs(int(refused.value.where.rpartition(" ")[2]) - 700) < 80


@pytest.mark.parametrize("filler", [b" ", b"[", b"]", b"1", b"] ", b"],", b'"', b"1,"])
def test_what_has_no_end_in_reach_is_refused_unparsed(filler: bytes) -> None:
    body = b'{"contexts":[[[' + filler * (1_000_000 // len(filler))
    with pytest.raises(Refusal) as refused:
        parsed(body)
    assert refused.value.status in (400, 422)
