"""Orders and ranges that are computed where they are asked for."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lvmcore.data import indices
from lvmcore.data.indices import EXACT, Bijection, Chosen, Ranges, parts, shuffled

KEYS = torch.randint(-(1 << 63), (1 << 63) - 1, (50, 8), generator=torch.Generator().manual_seed(0))


@given(ranges=st.lists(st.tuples(st.integers(0, 50), st.integers(-2, 6)), max_size=8), data=st.data())
def test_ranges_are_those_of_a_plain_loop(ranges: list[tuple[int, int]], data: st.DataObject) -> None:
    plain = [number for begin, count in ranges for number in range(begin, begin + count)]
    begins, counts = torch.tensor(ranges, dtype=torch.int64).reshape(-1, 2).T
    found = Ranges(begins, counts)
    assert len(found) == len(plain)
    cut = data.draw(st.slices(len(plain) + 3))
    if (cut.step or 1) > 0:
        assert found[cut].tolist() == plain[cut]
    assert [number for part in parts(found, 3) for number in part.tolist()] == plain
    if plain:
        places = data.draw(st.lists(st.integers(-len(plain), len(plain) - 1), min_size=2, max_size=2))
        assert found[torch.tensor([places])].tolist() == [[plain[place] for place in places]]
        with pytest.raises(IndexError):
            found[torch.tensor([len(plain)])]


@given(count=st.integers(0, 700), key=st.integers(0, 49))
def test_the_bijection_is_one(count: int, key: int) -> None:
    assert sorted(Bijection(count, KEYS[key])[:].tolist()) == list(range(count))


@pytest.mark.parametrize("count", [1_000_003, 1 << 20, (1 << 20) + 1])
def test_the_bijection_is_one_at_larger_sizes(count: int) -> None:
    order = Bijection(count, KEYS[0])
    assert torch.equal(order[:].sort().values, torch.arange(count))


@given(begin=st.integers(0, 200_000), size=st.integers(0, 3000))
def test_any_part_of_it_is_that_of_the_whole(begin: int, size: int) -> None:
    order, whole = PARTS
    assert torch.equal(order[begin : begin + size], whole[begin : begin + size])


PARTS = Bijection(200_000, KEYS[1]), Bijection(200_000, KEYS[1])[:]


def test_every_order_of_a_few_comes_up_about_equally_often() -> None:
    generator = torch.Generator().manual_seed(1)
    keys = torch.randint(-(1 << 63), (1 << 63) - 1, (12_000, 8), generator=generator)
    seen = Counter(tuple(Bijection(4, key)[:].tolist()) for key in keys)
    assert len(seen) == 24
    assert sum((count - 500) ** 2 / 500 for count in seen.values()) < 60  # χ² of 23 degrees: 60 once in 30,000


def test_neighbours_fall_as_far_apart_as_by_chance() -> None:
    count = 300_000
    order = Bijection(count, KEYS[2])[:].double() / count
    for lag in (1, 2, 64, 65_536):
        likeness = torch.corrcoef(torch.stack([order[:-lag], order[lag:]]))[0, 1]
        assert abs(float(likeness)) < 5 / count**0.5
    # a batch of 64 in 64 equal parts: as many different ones as 64 draws hit, 64 · (1 − e⁻¹)
    hit = [len(part.unique()) for part in (order * 64).long().split(64)[:-1]]
    assert sum(hit) / len(hit) == pytest.approx(40.6, abs=0.2)


def test_other_keys_give_another_order() -> None:
    one, two = (Bijection(10_000, keys)[:] for keys in KEYS[:2])
    assert int((one == two).sum()) < 10


def test_few_are_shuffled_as_torch_does_it_and_many_without_memory() -> None:
    seeded = lambda: torch.Generator().manual_seed(3)  # noqa: E731
    assert torch.equal(shuffled(1000, seeded())[:], torch.randperm(1000, generator=seeded()))
    many = shuffled(EXACT + 1, seeded())
    assert isinstance(many, Bijection)
    assert torch.equal(many[5:500], shuffled(EXACT + 1, seeded())[5:500])
    assert len(shuffled(10**12, seeded())[10**11 : 10**11 + 64].unique()) == 64


def test_chosen_numbers_come_in_the_order_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = torch.arange(100) * 7
    plain = numbers[torch.randperm(100, generator=torch.Generator().manual_seed(4))]
    assert torch.equal(Chosen(numbers, shuffled(100, torch.Generator().manual_seed(4)))[10:20], plain[10:20])
    monkeypatch.setattr(indices, "EXACT", 10)
    chosen = Chosen(numbers, shuffled(100, torch.Generator()))
    assert sorted(chosen[:].tolist()) == numbers.tolist()
