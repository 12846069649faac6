"""Requirements of the core are read as pip reads them, on release numbers."""

from __future__ import annotations

from importlib.metadata import Distribution, version

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from lvmcore.requirements import _holds, unmet

NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))


@given(own=NUMBERS, sign=st.sampled_from(["==", "!=", "<=", ">=", "<", ">"]), number=NUMBERS)
def test_a_rule_holds_where_pip_says_so(own: str, sign: str, number: str) -> None:
    assert _holds(own, sign, number) == SpecifierSet(f"{sign}{number}").contains(own)


@given(own=NUMBERS, sign=st.sampled_from(["==", "!="]), number=NUMBERS)
def test_a_star_stands_for_every_end(own: str, sign: str, number: str) -> None:
    assert _holds(own, sign, f"{number}.*") == SpecifierSet(f"{sign}{number}.*").contains(own)


@given(own=NUMBERS, number=NUMBERS.filter(lambda number: "." in number))
def test_compatible_releases_are_those_of_pip(own: str, number: str) -> None:
    assert _holds(own, "~=", number) == SpecifierSet(f"~={number}").contains(own)


class Stated(Distribution):
    """A distribution that requires these."""

    def __init__(self, *requires: str) -> None:
        self.stated = list(requires)

    @property
    def requires(self) -> list[str]:
        return self.stated

    def read_text(self, filename: str) -> None:
        return None

    def locate_file(self, path: object) -> None:
        return None


@pytest.mark.parametrize(
    ("requires", "met"),
    [
        ((), True),
        (("lvmcore",), True),
        (("lvmcore>=0.1,<1", "numpy>=99"), True),
        (("LVMcore >= 99",), False),
        (("lvmcore[encode]>=99",), False),
        (("lvmcore (<0.1)",), False),
        (("lvmcore>=99; extra == 'new'",), True),
        (("lvmcore-extra>=99",), True),
        (("lvmcore @ file:///somewhere",), True),
        (("lvmcore>=99.0rc1",), False),
    ],
)
def test_only_what_is_asked_of_the_core_counts(requires: tuple[str, ...], met: bool) -> None:
    reason = unmet(Stated(*requires), "lvmcore")
    assert (reason == "") is met
    assert met or version("lvmcore") in reason
