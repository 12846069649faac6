"""Articles are divided by their names: stable, in the shares asked for, by pattern, by source."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmcore.data.splits import OOD, TRAIN, VAL, Rule, drawn, matching, parse_shares
from lvmcore.errors import LvmError

TITLES = [f"texts/{i}.txt" for i in range(2000)]


def test_another_article_moves_no_other() -> None:
    before = drawn(TITLES)
    more = [*(f"books/{i}.txt" for i in range(500)), *TITLES]
    assert (drawn(more)[500:] == before).all()
    assert (drawn(TITLES[::-1])[::-1] == before).all()


def test_shares_are_held_in_expectation_and_the_seed_draws_others() -> None:
    splits = drawn(TITLES, (60, 30, 10), 3)
    # three standard deviations of a binomial of 2,000
    for split, share in ((TRAIN, 0.6), (VAL, 0.3), (OOD, 0.1)):
        assert abs((splits == split).mean() - share) < 3 * (share * (1 - share) / len(TITLES)) ** 0.5
    assert (drawn(TITLES, (60, 30, 10), 4) != splits).any()
    assert splits.dtype == np.uint8


@given(st.lists(st.text(), min_size=3, max_size=12, unique=True), st.integers(0, 2**63))
def test_no_split_with_a_share_is_empty_from_three_articles_on(titles: list[str], seed: int) -> None:
    assert set(drawn(titles, (80, 10, 10), seed)) == {TRAIN, VAL, OOD}
    assert set(drawn(titles, (50, 50, 0), seed)) == {TRAIN, VAL}
    division = Rule(seed=seed).divide(titles)
    assert (division.splits == drawn(titles, (80, 10, 10), seed)).all()


def test_a_split_that_nothing_fell_into_is_said() -> None:
    division = Rule(shares=(98, 1, 1)).divide(["a", "b", "c"])
    assert sorted(division.splits) == [TRAIN, VAL, OOD]
    assert sum("went there" in said for said in division.notes) == 2
    assert any("no article is in ood" in said for said in Rule(shares=(90, 10, 0)).divide(TITLES).notes)
    assert any("no article is in val" in said for said in Rule().divide(["alone"]).notes)


def test_a_pattern_takes_the_place_of_a_drawing_and_moves_nothing_between_the_others() -> None:
    titles = [*TITLES, "books/emma.txt", "old/books/persuasion.txt"]
    division = Rule(ood=("books/*",)).divide(titles)
    assert np.flatnonzero(division.splits == OOD).tolist() == [2000, 2001]
    plain = drawn(TITLES)
    assert ((division.splits[:2000] == VAL) == (plain == VAL)).all()
    assert not any("not out of domain" in said for said in division.notes)
    both = Rule(val=("texts/1?.txt",), ood=("books/*",)).divide(titles).splits
    assert np.flatnonzero(both == VAL).tolist() == list(range(10, 20))


def test_patterns_match_sources_too_and_sources_are_drawn_together() -> None:
    sources = [f"source {i % 20}" for i in range(2000)]
    by_pattern = Rule(ood=("source 7",)).divide(TITLES, sources).splits
    assert set(np.flatnonzero(by_pattern == OOD) % 20) == {7}
    together = Rule(by="source").divide(TITLES, sources).splits
    assert all(len(set(together[i::20])) == 1 for i in range(20))
    assert set(together) == {TRAIN, VAL, OOD}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule(ood=("nowhere/*",)), "matches no article"),
        (Rule(val=("texts/1.txt",), ood=("texts/*",)), "both val and ood"),
        (Rule(by="source"), "sources of the articles are not known"),
    ],
)
def test_what_cannot_be_meant_is_an_error(rule: Rule, said: str) -> None:
    with pytest.raises(LvmError, match=said):
        rule.divide(TITLES)


@pytest.mark.parametrize("text", ["", "80/20", "80/10/10/0", "a/b/c", "nan/1/1", "0/50/50", "80/-10/30"])
def test_shares_are_three_of_which_the_first_is_positive(text: str) -> None:
    with pytest.raises(LvmError, match="no shares"):
        parse_shares(text)
    assert parse_shares("80/12.5/7.5") == (80, 12.5, 7.5)


def test_a_pattern_is_the_shells_and_may_begin_after_a_slash() -> None:
    names = ["a/b.txt", "x/a/b.txt", "xa/b.txt", "A/b.txt", "a/b.txt.gz"]
    assert matching(names, "a/*.txt").tolist() == [True, True, False, False, False]
