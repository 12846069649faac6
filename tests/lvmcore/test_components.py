"""Options of components: text to values, and errors that name the option."""

from __future__ import annotations

from typing import Any, Literal, Self

import pytest
from attrs.validators import ge
from hypothesis import given
from hypothesis import strategies as st

from lvmcore.components import component, explicit, make, option, options, read, write
from lvmcore.errors import LvmError


@component
class Sample:
    """A component with an option of every type.

    More text.
    """

    weight: float = option(default=0.5, help="a number", validator=ge(0))
    steps: int = option(default=3, help="a count")
    deep: bool = option(default=False, help="a switch")
    side: Literal["left", "right"] = option(default="left", help="a choice")
    parts: tuple[str, ...] = option(default=("batch",), help="a list")
    limit: int | None = option(default=None, help="a count or none")
    bound: float | None = option(default=None, help="a number or none")
    sides: tuple[Literal["left", "right"], ...] = option(default=("left",), help="choices")

    @classmethod
    def toy(cls) -> Self:
        return cls(steps=1, weight=0.1)

    def build(self) -> None: ...


def made(**given: Any) -> Sample:
    return make(Sample, given, where="sample", lister="lvm show sample")


def test_text_becomes_values_of_the_declared_types() -> None:
    found = made(
        weight="1e-3", steps="7", deep="true", side="right", parts="batch/context", limit="4", sides="right/left"
    )
    assert found == Sample(
        weight=1e-3, steps=7, deep=True, side="right", parts=("batch", "context"), limit=4, sides=("right", "left")
    )
    assert made(limit="none", bound="none") == Sample()
    assert made(bound="-2.5", deep="False") == Sample(bound=-2.5)


@pytest.mark.parametrize(
    ("option_name", "text", "expected"),
    [
        ("weight", "heavy", "float"),
        ("weight", "nan", "float"),
        ("weight", "inf", "float"),
        ("steps", "1.5", "int"),
        ("deep", "maybe", "true | false"),
        ("side", "up", "left | right"),
        ("limit", "few", "int | none"),
        ("limit", "2.5", "int | none"),
        ("bound", "nan", "float | none"),
        ("bound", "-inf", "float | none"),
        ("steps", "", "int"),
        ("sides", "left/up", "(left | right)/…"),
    ],
)
def test_a_value_of_the_wrong_type_names_option_and_type(option_name: str, text: str, expected: str) -> None:
    with pytest.raises(LvmError) as caught:
        made(**{option_name: text})
    assert f"'{option_name}'" in caught.value.what
    assert text in caught.value.what
    assert caught.value.expected == expected


def test_a_value_out_of_range_names_the_option_and_where_to_look() -> None:
    with pytest.raises(LvmError, match="'weight' must be >= 0") as caught:
        made(weight="-1")
    assert caught.value.fix == "lvm show sample"


def test_an_unknown_option_gets_the_nearest_match() -> None:
    with pytest.raises(LvmError, match="did you mean 'weight'") as caught:
        made(weigth="1")
    assert (caught.value.where, caught.value.fix) == ("sample", "lvm show sample")


def test_the_toy_size_is_the_start_and_given_options_win() -> None:
    found = make(Sample, {"steps": "9"}, where="sample", size="toy")
    assert (found.weight, found.steps) == (0.1, 9)
    with pytest.raises(LvmError, match="'weight' must be >= 0"):
        make(Sample, {"weight": "-1"}, where="sample", size="toy")


@given(
    st.builds(
        Sample,
        weight=st.floats(0, 1e300),
        steps=st.integers(),
        deep=st.booleans(),
        side=st.sampled_from(["left", "right"]),
        parts=st.lists(st.sampled_from(["batch", "context", "article"]), min_size=1).map(tuple),
        limit=st.none() | st.integers(),
        bound=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        sides=st.lists(st.sampled_from(["left", "right"]), min_size=1).map(tuple),
    )
)
def test_all_options_survive_being_written_and_read(sample: Sample) -> None:
    assert made(**explicit(sample)) == sample


def test_options_are_listed_in_order_with_their_help() -> None:
    found = options(Sample)
    assert [item.name for item in found] == ["weight", "steps", "deep", "side", "parts", "limit", "bound", "sides"]
    assert found[0].help == "a number"
    assert read(found[4], write(("a", "b")), "here") == ("a", "b")
