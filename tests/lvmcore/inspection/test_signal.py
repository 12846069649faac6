"""The forward signal: there where one was planted, in the direction in which it was, and nowhere else."""

from __future__ import annotations

from functools import cache

import attrs
import numpy as np
import pytest
import torch

from lvm_corpora.world import World
from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.inspection.inspection import Inspection, inspect
from lvmcore.inspection.plan import Plan
from lvmcore.inspection.signal import Signal, slopes
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

SMALL = {"dim": 48, "latent": 12, "articles": 120, "length": 30}


@cache
def inspected(**options: float | bool) -> Inspection:
    return inspect(World(**{**SMALL, **options}).build(), Registry(Plugins(only=())), Plan(resamples=300))  # pyright: ignore


def signal_of(**options: float | bool) -> Signal:
    found = inspected(**options).signal
    assert found is not None
    return found


def test_without_a_signal_there_is_no_predictability() -> None:
    for seed in range(3):
        found = signal_of(signal=0, seed=seed)
        for way in (found.forwards, found.backwards):
            assert way.predictability.low is not None
            assert way.predictability.low <= 0
            assert abs(way.predictability.value or 0) < 0.002
        # a matrix denoises the average, which is no signal
        assert (found.forwards.smoothing.low or 0) > 0.01
        assert inspected(signal=0, seed=seed).verdict[0].startswith("No forward signal was found")


def test_predictability_rises_with_the_signal() -> None:
    found = [signal_of(signal=signal).forwards.predictability for signal in (0.2, 0.35, 0.5, 0.68)]
    values = [one.value or 0 for one in found]
    assert values == sorted(values)
    assert values[-1] > 0.05
    assert all((one.low or 0) > 0 for one in found[1:])
    assert inspected(signal=0.68).verdict[0].startswith("There is a forward signal")


def test_a_linear_world_is_as_predictable_backwards() -> None:
    for options in ({}, {"seed": 1}, {"reverse": True}):
        found = signal_of(**options).asymmetry
        assert abs(found.value or 0) < 0.006
    assert any("It shows no direction" in said for said in inspected().verdict)


def test_a_folded_world_runs_forward_and_its_mirror_backward() -> None:
    forward, backward = signal_of(fold=True).asymmetry, signal_of(fold=True, reverse=True).asymmetry
    assert (forward.low or 0) > 0.005
    assert (backward.high or 0) < -0.005
    # one and the same windows, read the other way round
    assert forward.value == pytest.approx(-(backward.value or 0), abs=0.005)
    assert any(said.startswith("It runs forward") for said in inspected(fold=True).verdict)
    assert any(said.startswith("It runs backward") for said in inspected(fold=True, reverse=True).verdict)


def test_what_a_matrix_cannot_know_is_seen_by_the_reference() -> None:
    levels = signal_of(fold=True).forwards.levels
    assert (levels["reference"].gain.value or 0) > (levels["linear"].gain.value or 0) + 0.01


def test_more_articles_help_where_a_law_is_to_be_learnt() -> None:
    growth = signal_of(fold=True).growth
    assert [point.share for point in growth.points] == [1 / 8, 1 / 4, 1 / 2, 1]
    assert [point.articles for point in growth.points] == [12, 24, 48, 96]
    assert growth.gain is not None
    assert (growth.gain.low or 0) > 0


def test_a_slope_is_that_of_the_line_through_the_means() -> None:
    random = np.random.default_rng(0)
    sizes = [100, 190, 420, 800]
    gains = random.normal(size=(4, 30))
    columns = {f"{i}/forwards/{part}": gains[i] for i in range(4) for part in ("gain", "predictability")}
    found = slopes(columns, sizes)
    fitted = np.polyfit(np.log2(sizes), gains.mean(1), 1)[0]
    assert found["slope/gain"].mean() == pytest.approx(fitted)
    np.testing.assert_allclose(found["last"], gains[3] - gains[2])
    assert slopes(columns, sizes[:2]) == {}


def test_parts_and_whole_add_up() -> None:
    way = signal_of(fold=True).forwards
    assert way.gain.value == pytest.approx((way.smoothing.value or 0) + (way.predictability.value or 0))
    average, answer = way.levels["average"], way.levels["reference"]
    assert way.gain.value == pytest.approx((answer.cosine.value or 0) - (average.cosine.value or 0))
    assert way.gain == answer.gain


def test_yardsticks_stand_beside_by_their_roles(registry: Registry) -> None:
    found = signal_of()
    assert {one.role for one in found.beside.values()} == {"cheat", "baseline", "oracle", "reference"}
    assert found.beside["oracle"].cosine.value == pytest.approx(1)
    baseline = next(one for one in found.beside.values() if one.role == "baseline")
    assert baseline.cosine.value == pytest.approx(found.forwards.levels["average"].cosine.value, abs=1e-5)
    assert found.beside["reference"].gain.value == pytest.approx(found.forwards.gain.value, abs=1e-5)


def test_another_baseline_can_be_named(registry: Registry) -> None:
    corpus = World(**SMALL).build()  # pyright: ignore
    found = inspect(corpus, registry, Plan(resamples=20, baseline="context-mean")).signal
    assert found is not None
    assert found.forwards.levels["average"].cosine.value == pytest.approx(
        found.beside["context-mean"].cosine.value, abs=1e-5
    )


def test_the_same_corpus_gives_the_same_figures(registry: Registry) -> None:
    corpus = World(**{**SMALL, "articles": 30}).build()  # pyright: ignore
    first, second = (inspect(corpus, registry, Plan(resamples=50)).document() for _ in range(2))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_a_bound_is_kept_and_said(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmcore.inspection.inspection.COMPARED", 500)
    found = inspect(World(**SMALL).build(), registry, Plan(resamples=20, windows=600))  # pyright: ignore
    assert found.signal is not None
    assert 300 < found.signal.train_windows <= 600
    assert found.signal.windows <= 150
    assert any("of the 2,400 windows of train" in said for said in found.notes)
    assert any("near copies were looked for among" in said and "of 3,600 rows" in said for said in found.notes)


def few(splits: list[int], length: int = 12) -> Corpus:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(len(splits) * length, 8, generator=generator)
    starts = torch.arange(len(splits) + 1) * length
    return Corpus(rows, starts, torch.tensor(splits, dtype=torch.uint8), CorpusInfo(name="few"))


@pytest.mark.parametrize("splits", [[0], [0, 0, 0, 2], [1, 1], [2]], ids=str)
def test_without_held_out_articles_it_says_that_it_cannot_tell(registry: Registry, splits: list[int]) -> None:
    found = inspect(few(splits), registry, Plan(resamples=20))
    assert found.signal is None
    assert found.verdict[0].startswith("It can't be told whether there is a forward signal")
    assert any("no article is in split" in said for said in found.notes)
    assert attrs.asdict(found)["splits"]["train"]["articles"] == splits.count(0)


def test_articles_too_short_for_a_window_are_said(registry: Registry) -> None:
    found = inspect(few([0, 1, 0, 1], length=4), registry, Plan(resamples=20))
    assert found.signal is None
    assert any("the longest of 4 chunks" in said for said in found.notes)


@pytest.mark.parametrize("held", [1, 5])
def test_a_few_held_out_articles_tell_nothing(registry: Registry, held: int) -> None:
    found = inspect(few([0] * 9 + [1] * held), registry, Plan(resamples=20))
    assert found.verdict[0].startswith("It can't be told whether there is a forward signal")
    assert f"{held} articles of val are too few" in found.verdict[0]


def test_one_training_article_is_enough_to_look(registry: Registry) -> None:
    found = inspect(few([0] + [1] * 8), registry, Plan(resamples=20))
    assert found.signal is not None
    assert found.signal.growth.gain is None
    assert any("can't be told: there are too few training articles" in said for said in found.verdict)


@pytest.mark.parametrize("dim", [1, 2, 8])
def test_rows_that_are_all_the_same_are_no_signal(registry: Registry, dim: int) -> None:
    corpus = few([0] * 9 + [1] * 7)
    same = Corpus(torch.ones(len(corpus), dim), corpus.starts, corpus.splits, CorpusInfo(name="same"))
    found = inspect(same, registry, Plan(resamples=20))
    assert found.signal is not None
    assert found.signal.forwards.predictability.value == pytest.approx(0, abs=1e-6)
    assert found.verdict[0].startswith("No forward signal was found")
    assert found.duplicates.exact["val"].across == found.duplicates.near["val"].across == 7 * 12


def test_random_rows_are_no_signal(registry: Registry) -> None:
    found = inspect(few([0] * 60 + [1] * 20), registry, Plan(resamples=100))
    assert found.verdict[0].startswith("No forward signal was found")
    assert any("It shows no direction" in said for said in found.verdict)


def test_what_is_smoothing_is_not_called_help() -> None:
    assert any(said.startswith("More data would help") for said in inspected(fold=True).verdict)
    assert not any(said.startswith("More data would help") for said in inspected(signal=0, seed=0).verdict)
