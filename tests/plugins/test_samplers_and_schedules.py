"""Samplers choose windows; schedules move the learning rate."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from torch.optim import SGD

from lvmcore.data.corpus import Corpus
from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.registry import Registry


def order(text: str, corpus: Corpus, registry: Registry, seed: int = 0) -> list[int]:
    sampler = registry.make("sampler", parse_one(text)).build(corpus.windows("train"))
    return sampler(1, torch.Generator().manual_seed(seed))[:].tolist()


def test_full_gives_every_window_once(corpus: Corpus, registry: Registry) -> None:
    found = order("full", corpus, registry)
    assert sorted(found) == list(range(len(corpus.windows("train"))))
    assert found != sorted(found)


def test_articles_gives_every_window_once_and_those_of_an_article_in_a_row(corpus: Corpus, registry: Registry) -> None:
    windows = corpus.windows("train")
    found = order("articles", corpus, registry)
    assert sorted(found) == list(range(len(windows)))
    articles = windows.articles[found].tolist()
    changes = [one for one, before in zip(articles, [None, *articles], strict=False) if one != before]
    assert len(changes) == len(set(articles)) > 3
    assert changes != sorted(changes)
    pairs = zip(found, found[1:], articles, articles[1:], strict=False)
    assert all(later == one + 1 for one, later, here, there in pairs if here == there)
    assert order("articles", corpus, registry, seed=1) != found


def test_forward_keeps_the_windows_whose_target_is_least_like_the_last_row(corpus: Corpus, registry: Registry) -> None:
    windows = corpus.windows("train")
    distinct = []
    for i, row in enumerate(windows.targets[:].tolist()):
        target, last = corpus.rows(torch.tensor([row, row - 1])).double()
        distinct.append((1 - float(target @ last), i))
    expected = {i for _, i in sorted(distinct, reverse=True)[: round(0.3 * len(windows))]}
    found = order("forward:0.3", corpus, registry)
    assert set(found) == expected
    assert len(found) == len(expected)


def likeness(corpus: Corpus, row: int) -> list[float]:
    """Cosines of the target at this row with the context rows −5 … −1."""
    *context, target = corpus.rows(torch.arange(row - 5, row + 1)).double()
    return [float(target @ earlier) for earlier in context]


@pytest.mark.parametrize(("least", "most"), [(0.0, None), (-0.05, 0.02), (0.03, None)])
def test_advantage_keeps_the_windows_within_its_thresholds(
    least: float, most: float | None, corpus: Corpus, registry: Registry
) -> None:
    expected = set()
    for i, row in enumerate(corpus.windows("train").targets[:].tolist()):
        *earlier, last = likeness(corpus, row)
        if least <= last - max(earlier) <= (math.inf if most is None else most):
            expected.add(i)
    text = f"advantage:{least}" + ("" if most is None else f",most={most}")
    found = order(text, corpus, registry)
    assert set(found) == expected
    assert 0 < len(found) == len(expected) < len(corpus.windows("train"))


def test_thresholds_that_no_window_meets_are_named(corpus: Corpus, registry: Registry) -> None:
    with pytest.raises(LvmError, match="no window has an advantage"):
        order("advantage:1.5", corpus, registry)
    with pytest.raises(LvmError, match="lies below least"):
        order("advantage:0.5,most=0.1", corpus, registry)


def test_weighted_takes_its_share_of_the_windows_under_the_threshold_and_all_others(
    corpus: Corpus, registry: Registry
) -> None:
    low = set()
    for i, row in enumerate(corpus.windows("train").targets[:].tolist()):
        before, last, target = corpus.rows(torch.arange(row - 2, row + 1)).double()
        if float(last @ target) - float(last @ before) < 0.03:
            low.add(i)
    others = set(range(len(corpus.windows("train")))) - low
    assert len(low) > 8
    seen: Counter[int] = Counter()
    for seed in range(200):
        found = order("weighted", corpus, registry, seed)
        assert len(found) == len(set(found)) == len(others) + math.ceil(0.25 * len(low))
        assert others <= set(found)
        seen.update(low & set(found))
    for window in low:
        assert 0.12 < seen[window] / 200 < 0.4
    assert sorted(order("weighted:1", corpus, registry)) == list(range(len(corpus.windows("train"))))


def test_every_sampler_draws_by_the_generator_alone(corpus: Corpus, registry: Registry) -> None:
    seen = 0
    for found in registry.all("sampler"):
        first, again, other = (order(found.name, corpus, registry, seed) for seed in (3, 3, 4))
        assert first == again != other
        seen += 1
    assert seen >= 4


def rates(text: str, registry: Registry, steps: int, per_epoch: int) -> list[float]:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = registry.make("schedule", parse_one(text)).build(optimizer, steps, per_epoch)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return [*found, optimizer.param_groups[0]["lr"]]


def test_warmup_cosine_rises_for_its_epochs_and_falls_to_its_floor(registry: Registry) -> None:
    found = rates("warmup-cosine:2,floor=0.001", registry, steps=40, per_epoch=5)
    for step in range(10):
        assert found[step] == pytest.approx(0.1 * (step + 1) / 11)
    for step in range(10, 41):
        expected = 0.001 + (0.1 - 0.001) * (1 + math.cos(math.pi * (step - 10) / 30)) / 2
        assert found[step] == pytest.approx(expected)


def test_warmup_cosine_needs_no_warmup(registry: Registry) -> None:
    assert rates("warmup-cosine:0", registry, 10, 5)[0] == pytest.approx(0.1)


def test_constant_is(registry: Registry) -> None:
    assert set(rates("constant", registry, 10, 5)) == {0.1}


def test_plateau_halves_after_its_patience(registry: Registry) -> None:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = registry.make("schedule", parse_one("plateau:0.5,patience=3")).build(optimizer, 100, 10)
    found = []
    for loss in (1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9):
        schedule.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
