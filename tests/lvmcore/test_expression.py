"""The grammar of expressions."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lvmcore.errors import LvmError
from lvmcore.expression import Expression, Term, parse, parse_one

names = st.from_regex(r"[a-zA-Z_][\w.-]{0,8}", fullmatch=True)
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.from_regex(r"[^\s,+]{1,12}", fullmatch=True),
    st.sampled_from(["1e+3", "2.5E+10", "batch/context/article", "1e-05", "a=b", "x:y"]),
)


@st.composite
def terms(draw: st.DrawFn) -> Term:
    try:
        return Term(
            draw(names),
            draw(st.none() | values),
            draw(st.dictionaries(names, values, max_size=3)),
            draw(st.none() | names),
        )
    except ValueError:  # a part that ends in a digit and e
        assume(False)
        raise


@given(st.lists(terms(), max_size=4))
def test_an_expression_survives_being_written_and_read(parts: list[Term]) -> None:
    expression = Expression(tuple(parts))
    assert parse(str(expression)) == expression


def test_the_parts_of_a_term_are_told_apart() -> None:
    first, second = parse("mse+my-dist/dir:0.002,start=6,against=last").terms
    assert first == Term("mse")
    assert second == Term("dir", "0.002", {"start": "6", "against": "last"}, "my-dist")


def test_a_plus_in_an_exponent_belongs_to_the_number() -> None:
    assert [str(term) for term in parse("mse:1e+3+dir:2E+1,margin=1e+0").terms] == ["mse:1e+3", "dir:2E+1,margin=1e+0"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mse+", "empty term"),
        ("+mse", "empty term"),
        ("mse++dir", "empty term"),
        ("mse,start", "no key=value"),
        ("mse,start=1,start=2", "stands twice"),
        ("mse dir", "no name"),
        ("mse:", "no value"),
        ("mse:a b", "no value"),
        ("dir:0.1e", "ends in a digit and e"),
        (":3", "no name"),
        ("a/b/c", "no name"),
    ],
)
def test_a_broken_expression_is_named(text: str, said: str) -> None:
    with pytest.raises(LvmError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert text in (caught.value.where or "")


def test_where_one_term_is_wanted_two_are_an_error() -> None:
    assert parse_one("forward:0.3").value == "0.3"
    with pytest.raises(LvmError, match="one term was expected, not 2"):
        parse_one("forward+full")
