"""5CAT against a plain per-window loop, and the controls that prove it: the oracle passes, cheats fail."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MakeCorpus
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.evaluation.checks import checks_of
from lvmcore.evaluation.content import ContentKeys
from lvmcore.evaluation.evaluator import Evaluator
from lvmcore.evaluation.figures import values as figures
from lvmcore.evaluation.fivecat.ablations import permutations
from lvmcore.evaluation.measurement import Predictor, columns_of
from lvmcore.evaluation.predictors import yardstick
from lvmcore.evaluation.protocols import protocol_of
from lvmcore.evaluation.settings import Settings
from lvmcore.evaluation.statistics import Statistics
from lvmcore.files import cache_folder
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue

WEIGHTS = torch.randn(5, 16, 16, generator=torch.Generator().manual_seed(3))


def linear(context: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return torch.einsum("bci,cij->bj", context, WEIGHTS.to(context.dtype)) + 2 * context[:, -1]


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


def predict(context: np.ndarray) -> np.ndarray:
    return unit(linear(torch.from_numpy(context)[None], torch.empty(0))[0].numpy())


def test_every_figure_is_that_of_a_loop_over_windows(corpus: Corpus, registry: Registry, catalogue: Catalogue) -> None:
    evaluator = Evaluator(corpus, registry, catalogue, Settings(splits=("val",), yardsticks=False))
    document = figures(evaluator.evaluate(Predictor("linear", linear)).document["splits"]["val"])
    rows = corpus.rows(torch.arange(len(corpus))).double().numpy()
    sweep, ranks, spoilt, rolls, cosines = [], [], [], [], []
    for target in corpus.windows("val").targets[:].tolist():
        article = int(corpus.article_of[target])
        start, end = int(corpus.starts[article]), int(corpus.starts[article + 1])
        context, truth = rows[target - 5 : target], rows[target]
        p = predict(context)
        cosines.append(p @ truth)
        if target + 2 < end:
            sweep.append([p @ rows[target - 1 + k] for k in range(-4, 4)])
        own = p @ truth
        ranks.append(1 + sum(p @ rows[r] > own + 1e-12 for r in range(start, end) if r != target))
        left_out = [np.delete(context, i, 0) for i in range(5)]
        spoilt.append(
            [
                predict(context[::-1].copy()) @ truth - own,
                np.mean([predict(np.concatenate([c[:1], c])) @ truth - own for c in left_out]),
                predict(np.repeat(context[-1:], 5, 0)) @ truth - own,
            ]
        )
        if target + 4 < end:
            score, rolling = 0.0, context
            for h in range(5):
                step = predict(rolling)
                score += step @ rows[target + h] / 5
                rolling = np.concatenate([rolling[1:], step[None]])
            rolls.append(score)
    means = np.mean(sweep, 0)
    close = lambda value: pytest.approx(value, abs=1e-6)  # noqa: E731
    assert document["cosine"] == close(np.mean(cosines))
    assert list(document["A"]["offsets"]) == ["-4", "-3", "-2", "-1", "0", "+1", "+2", "+3"]
    assert list(document["A"]["offsets"].values()) == [close(mean) for mean in means]
    assert document["A"]["margin"] == close(means[5] - np.delete(means, 5).max())
    assert document["A"]["windows"] == len(sweep)
    assert document["B"]["all"]["r1"] == close(np.mean(np.array(ranks) <= 1))
    assert document["B"]["all"]["r5"] == close(np.mean(np.array(ranks) <= 5))
    assert document["B"]["all"]["mrr"] == close(np.mean(1 / np.array(ranks)))
    assert [document["C"][name] for name in ("reverse", "leave_one_out", "repeat")] == [
        close(value) for value in np.mean(spoilt, 0)
    ]
    assert document["D"]["score"] == close(np.mean(rolls))
    assert document["D"]["windows"] == len(rolls)


def test_on_real_text_the_oracle_passes_and_no_cheat_passes_a_or_b(registry: Registry, catalogue: Catalogue) -> None:
    corpus = open_corpus("wiki", registry)
    evaluator = Evaluator(corpus, registry, catalogue, Settings(profile="strict", max_windows=300))
    document = evaluator.evaluate(yardstick("oracle", corpus, registry)).document
    val = figures(document["splits"]["val"])
    assert val["B"]["all"]["r1"] == 1
    assert val["D"]["score"] == pytest.approx(1, abs=1e-5)
    assert val["A"]["margin"] > 0.1
    assert document["gates"]["A"] is document["gates"]["B"] is document["gates"]["D"] is True
    assert document["gates"]["C"] is None
    for name, found in document["yardsticks"].items():
        if name != "oracle":
            assert not found["gates"]["A"], name
            assert not found["gates"]["B"], name
            assert not found["causal"]["A"], name
            assert not found["causal"]["B"], name


def test_under_the_old_protocol_even_the_oracle_fails_a(
    make_corpus: MakeCorpus, registry: Registry, catalogue: Catalogue
) -> None:
    corpus = Corpus.open(make_corpus(articles=24, rows=14))
    evaluator = Evaluator(corpus, registry, catalogue, Settings(protocol="5cat-2025", yardsticks=False))
    document = evaluator.evaluate(yardstick("oracle", corpus, registry)).document
    assert document["splits"]["val"]["A"]["margin"]["value"] < 0
    assert document["splits"]["val"]["D"]["score"]["value"] < 0.999
    assert document["splits"]["val"]["cosine"]["low"] is None


def test_figures_depend_neither_on_the_batch_nor_on_the_precision(corpus: Corpus, registry: Registry) -> None:
    windows = corpus.windows("train")
    checks = checks_of(protocol_of("5cat", registry).protocol, registry, 5)
    base = columns_of(Predictor("linear", linear), windows, checks)
    for other in (
        columns_of(Predictor("linear", linear), windows, checks, batch_size=7),
        columns_of(Predictor("double", lambda context, _: linear(context.double(), _)), windows, checks),
    ):
        for name, column in base.items():
            np.testing.assert_allclose(other[name], column, atol=1e-5, err_msg=name)


def test_a_shuffle_is_never_the_identity_and_every_other_order_comes_up() -> None:
    orders = permutations(torch.arange(120_000), 5)
    counts = dict.fromkeys(itertools.permutations(range(5)), 0)
    for order in orders.tolist():
        counts[tuple(order)] += 1
    assert counts.pop((0, 1, 2, 3, 4)) == 0
    assert min(counts.values()) > 800
    assert max(counts.values()) < 1250


def test_the_foreign_row_is_of_another_article_of_the_split(corpus: Corpus) -> None:
    windows = corpus.windows("train")
    batch = windows.take(torch.arange(len(windows)))
    keys = ContentKeys(corpus, "train")
    rows, there = keys.foreign(batch, keys.of(batch))
    assert there.all()
    assert (corpus.article_of[rows] != batch.articles).all()
    assert (corpus.splits[corpus.article_of[rows]] == 0).all()


def test_a_model_that_gives_nan_is_named_and_counts_as_nothing(
    corpus: Corpus, registry: Registry, catalogue: Catalogue
) -> None:
    evaluator = Evaluator(corpus, registry, catalogue, Settings(yardsticks=False))
    document = evaluator.evaluate(Predictor("nan", lambda context, _: context[:, -1] * torch.nan)).document
    assert document["splits"]["val"]["cosine"]["value"] == 0
    assert any("no direction" in warning for warning in document["warnings"])


def test_what_is_said_of_one_evaluation_is_not_said_of_the_next(
    corpus: Corpus, registry: Registry, catalogue: Catalogue
) -> None:
    evaluator = Evaluator(corpus, registry, catalogue, Settings())
    before = evaluator.evaluate(yardstick("copy-last", corpus, registry)).document["warnings"]
    broken = evaluator.evaluate(Predictor("nan", lambda context, _: context[:, -1] * torch.nan)).document["warnings"]
    after = evaluator.evaluate(yardstick("copy-last", corpus, registry)).document["warnings"]
    assert before == after
    assert len(broken) == len(before) + len(evaluator.windows)


def test_a_model_of_a_yardsticks_name_leaves_the_yardstick_what_it_is(
    corpus: Corpus, registry: Registry, catalogue: Catalogue
) -> None:
    evaluator = Evaluator(corpus, registry, catalogue, Settings())
    usual = evaluator.evaluate(yardstick("copy-last", corpus, registry)).document
    copier = yardstick("copy-last", corpus, registry).predict
    named = evaluator.evaluate(Predictor("random", copier)).document
    assert named["yardsticks"] == usual["yardsticks"]
    assert named["splits"] == usual["splits"]
    assert named["differences"]["val"]["random"]["A.cosine"]["value"] > 0
    assert named["causal"] == usual["causal"]


def test_a_kept_yardstick_that_lacks_something_is_measured_again(
    corpus: Corpus, registry: Registry, catalogue: Catalogue
) -> None:
    def yardsticks() -> dict[str, Any]:
        evaluator = Evaluator(corpus, registry, catalogue, Settings(protocol="5cat,seed=7"))
        return evaluator.evaluate(yardstick("copy-last", corpus, registry)).document["yardsticks"]

    before = yardsticks()
    kept = list((cache_folder() / "yardsticks").iterdir())
    for file in kept:
        with safe_open(file, "numpy") as held:
            document = json.loads(held.metadata()["lvm"])
        document.pop("warnings")
        save_file(load_file(file), file, {"lvm": json.dumps(document)})
    assert yardsticks() == before
    assert len(kept) >= 6


def test_the_standard_error_is_that_of_the_linearised_ratio() -> None:
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(30), random.integers(3, 20, 30))
    column = random.normal(size=len(group)) + group % 3
    estimate = Statistics({"x": column}, group, resamples=200).bootstrap("x")
    sums, counts = (np.array([f(column[group == a]) for a in range(30)]) for f in (np.sum, len))
    ratio = sums.sum() / counts.sum()
    assert estimate.value == pytest.approx(ratio)
    residual = ((sums - ratio * counts) ** 2).sum()
    assert estimate.error == pytest.approx(np.sqrt(30 / 29 * residual) / counts.sum())
    assert estimate.values.std() == pytest.approx(estimate.error, rel=0.2)


def test_a_difference_in_a_handful_of_articles_can_not_be_told() -> None:
    group = np.repeat(np.arange(100), 20)
    for articles, told in ((4, False), (5, False), (6, True)):
        column = np.zeros(2000)
        column[[article * 20 for article in range(articles)]] = 1
        statistics = Statistics({"x": column}, group, resamples=1000)
        assert statistics.figure("x").low != 0
        figure = statistics.difference("x")
        assert (figure.low > 0) is told  # pyright: ignore
        assert figure.value == pytest.approx(articles / 2000)
    few = Statistics({"x": np.arange(1.0, 6.0)}, np.arange(5), resamples=1000)
    assert few.figure("x").low > 0  # pyright: ignore
    assert few.difference("x").low == 0
