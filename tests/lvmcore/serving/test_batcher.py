"""Requests computed together get what each would get alone, in fair turns, and nobody bears another's fault."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lvmcore.serving.batcher import Batcher, shares
from lvmcore.serving.limits import Limits
from lvmcore.serving.refusal import Refusal


def unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=-1)


def drawn(count: int, seed: int) -> Tensor:
    return unit(torch.randn(count, 3, 4, generator=torch.Generator().manual_seed(seed)))


def mean(rows: Tensor) -> Tensor:
    """A model."""
    return unit(rows.mean(1) + rows[:, 0] * 0.5)


def within(
    predict: Callable[[Tensor], Tensor], do: Callable[[Batcher], Awaitable[Any]], limits: Limits | None = None
) -> tuple[Any, list[int]]:
    """What is done with a batcher, and the sizes of its slices."""
    sizes: list[int] = []

    async def run() -> Any:
        batcher = Batcher(predict, limits or Limits(), lambda count, seconds: sizes.append(count))
        batcher.start()
        try:
            return await asyncio.wait_for(do(batcher), 20)
        finally:
            await batcher.stop()

    return asyncio.run(run()), sizes


def plain(rows: Tensor, steps: int) -> Tensor:
    found = []
    for _ in range(steps):
        found.append(mean(rows))
        rows = torch.cat([rows[:, 1:], found[-1][:, None]], 1)
    return torch.stack(found, 1)


def test_together_they_get_what_each_gets_alone() -> None:
    asked = [(drawn(count, count), steps) for count, steps in ((1, 1), (70, 3), (2, 7), (300, 1), (5, 2), (1, 40))]

    async def ask(batcher: Batcher) -> list[Tensor]:
        return await asyncio.gather(*(batcher.predictions(rows.clone(), steps) for rows, steps in asked))

    found, sizes = within(mean, ask)
    for (rows, steps), one in zip(asked, found, strict=True):
        torch.testing.assert_close(one, plain(rows, steps), rtol=0, atol=1e-6)
    assert sum(sizes) == sum(len(rows) * steps for rows, steps in asked)
    assert len(sizes) < 100


def test_a_small_request_does_not_wait_for_a_large_one() -> None:
    order: list[str] = []
    begun, go = threading.Event(), threading.Event()

    def slow(rows: Tensor) -> Tensor:
        begun.set()
        go.wait(10)
        return mean(rows)

    async def ask(batcher: Batcher) -> None:
        async def one(name: str, count: int) -> None:
            await batcher.predictions(drawn(count, 0))
            order.append(name)

        large = asyncio.create_task(one("large", 4000))
        await asyncio.to_thread(begun.wait, 10)
        small = asyncio.create_task(one("small", 1))
        await asyncio.sleep(0.05)
        go.set()
        await asyncio.gather(large, small)

    _, sizes = within(slow, ask)
    assert order == ["small", "large"]
    assert max(sizes[:3]) < 200


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(20, 100))
def test_a_slice_is_shared_fairly(wanted: list[int], room: int) -> None:
    given_ = shares(wanted, room)
    assert sum(given_) == min(room, sum(wanted))
    assert all(1 <= has <= wants for has, wants in zip(given_, wanted, strict=True))
    short = [has for has, wants in zip(given_, wanted, strict=True) if has < wants]
    assert not short or max(given_) - min(short) <= 1, "nobody has more than one that goes short, but for a remainder"


def test_a_fault_is_borne_by_whose_it_is() -> None:
    begun, go = threading.Event(), threading.Event()

    def picky(rows: Tensor) -> Tensor:
        begun.set()
        go.wait(10)
        if (rows == 0).all(-1).any():
            raise RuntimeError("no")
        return mean(rows)

    async def ask(batcher: Batcher) -> list[Any]:
        first = asyncio.create_task(batcher.predictions(drawn(1, 1)))
        await asyncio.to_thread(begun.wait, 10)
        others = [
            asyncio.create_task(batcher.predictions(rows)) for rows in (drawn(2, 2), torch.zeros(1, 3, 4), drawn(3, 3))
        ]
        await asyncio.sleep(0.05)
        go.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    (first, second, guilty, last), _ = within(picky, ask)
    assert (len(first), len(second), len(last)) == (1, 2, 3)
    assert isinstance(guilty, Refusal)
    assert (guilty.status, guilty.what) == (500, "the model failed with RuntimeError")


def test_who_has_gone_is_not_computed_for() -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(rows: Tensor) -> Tensor:
        begun.set()
        go.wait(10)
        return mean(rows)

    async def ask(batcher: Batcher) -> int:
        gone = asyncio.create_task(batcher.predictions(drawn(4000, 0)))
        await asyncio.to_thread(begun.wait, 10)
        gone.cancel()
        await asyncio.wait([gone])
        go.set()
        await batcher.predictions(drawn(1, 0))
        return batcher.waiting

    waiting, sizes = within(slow, ask)
    assert waiting == 0
    assert sum(sizes) < 100


def test_too_much_is_refused_until_there_is_room() -> None:
    async def ask(batcher: Batcher) -> Refusal:
        many = [asyncio.create_task(batcher.predictions(drawn(50, n))) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await batcher.predictions(drawn(1, 0))
        await asyncio.gather(*many)
        await batcher.predictions(drawn(100, 0))
        return refused.value

    refused, _ = within(mean, ask, Limits(queue=100))
    assert refused.status == 503
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_slices_are_fitted_to_the_time_of_a_turn() -> None:
    async def ask(batcher: Batcher) -> None:
        await batcher.predictions(drawn(4000, 0))

    _, sizes = within(mean, ask, Limits(turn=10.0))
    assert sizes == sorted(sizes, reverse=False) or max(sizes) > 1000
    _, sizes = within(mean, ask, Limits(turn=1e-9))
    assert min(sizes[3:]) == max(sizes[3:-1]) == 8


def test_a_stop_refuses_who_waits() -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(rows: Tensor) -> Tensor:
        begun.set()
        go.wait(10)
        return mean(rows)

    async def run() -> Any:
        batcher = Batcher(slow, Limits(), lambda count, seconds: None)
        batcher.start()
        asked = asyncio.create_task(batcher.predictions(drawn(4000, 0)))
        await asyncio.to_thread(begun.wait, 10)
        go.set()
        await batcher.stop()
        return (await asyncio.gather(asked, return_exceptions=True))[0]

    found = asyncio.run(run())
    assert isinstance(found, Refusal)
    assert found.status == 503
