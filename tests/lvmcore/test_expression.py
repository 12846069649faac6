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


@pytest.mark.parametrize("broken", ["dir,start", "dir,a=1,a=2", "dir:", "di r", "dir:1e", "dir,margin=", "a/b/c", ":3"])
@pytest.mark.parametrize("around", ["{}", "mse+{}", "{}+mse", "mse+{}+ac:0.1"])
def test_the_error_names_the_term_at_fault_and_the_grammar(broken: str, around: str) -> None:
    if broken == "dir:1e" and "{}+" in around:
        broken = "dir:1e,a"  # else the + belongs to the number
    with pytest.raises(LvmError) as caught:
        parse(around.format(broken))
    assert f"'{broken}'" in (caught.value.where or "")
    assert "name[:value]" in (caught.value.expected or "")


@given(st.one_of(st.text(max_size=20), st.text(st.sampled_from("mse+dir:,=/ 1e-_.#é\n\t"), max_size=20)))
def test_any_text_is_an_expression_that_survives_or_an_error_of_the_one_shape(text: str) -> None:
    try:
        expression = parse(text)
    except LvmError:
        return
    assert parse(str(expression)) == expression


def test_spaces_around_terms_do_not_matter_and_nothing_is_the_empty_expression() -> None:
    assert parse(" mse + dir:0.1 ") == parse("mse+dir:0.1")
    assert parse("") == parse("  ") == Expression()


def test_a_list_is_kept_as_one_value_and_a_value_may_hold_what_the_head_may_not() -> None:
    (term,) = parse("nce:0.07,negatives=batch/context/article,path=a:b=c").terms
    assert term.options == {"negatives": "batch/context/article", "path": "a:b=c"}


def test_a_term_that_could_not_be_read_back_cannot_be_made() -> None:
    for parts in (("mse", "1e"), ("p5e", None), ("a b", None), ("mse", "1,2"), ("mse", "a+b"), ("", None)):
        with pytest.raises(ValueError, match=r"is no|ends in a digit and e"):
            Term(*parts)


def test_where_one_term_is_wanted_two_are_an_error() -> None:
    assert parse_one("forward:0.3").value == "0.3"
    with pytest.raises(LvmError, match="one term was expected, not 2"):
        parse_one("forward+full")
