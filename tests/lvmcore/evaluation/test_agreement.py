"""The batched evaluator agrees with the plain loops, and its random choices come from content alone."""

from __future__ import annotations

import itertools

import numpy as np
import plain_5cat as plain
import plain_5cat_2025 as plain_2025
import pytest
import torch
from agreement import (
    CONTEXT,
    FIVECAT,
    FIVECAT_2025,
    TOLERANCE,
    TorchPredict,
    articles_of,
    batched,
    differences,
    looped,
    looped_2025,
    numbers_of,
    of_articles,
    one_at_a_time,
    rank_bounds,
    ranks_outside,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.evaluation.content import ContentKeys
from lvmcore.evaluation.fivecat.ablations import permutations
from lvmcore.evaluation.measurement import Predictor
from lvmcore.evaluation.predictors import yardstick
from lvmcore.evaluation.protocols import NamedProtocol
from lvmcore.registry import Registry

DIM = 8
TRAINING = (14, 9, 17, 6, 4)
"""Rows of the training articles, which only `filter` is fit on; the last holds no window."""


# --- predictors, batched and one window at a time

WEIGHTS = torch.randn(CONTEXT, DIM, DIM, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
HIDDEN = torch.randn(CONTEXT * DIM, 12, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
OUTPUT = torch.randn(12, DIM, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def linear(context: Tensor, _: Tensor) -> Tensor:
    return torch.einsum("bci,cij->bj", context, WEIGHTS.to(context.dtype)) + 2 * context[:, -1]


def mlp(context: Tensor, _: Tensor) -> Tensor:
    hidden = torch.tanh(context.flatten(1) @ HIDDEN.to(context.dtype))
    return hidden @ OUTPUT.to(context.dtype) + context[:, -1] + 0.5 * context[:, 0]


MODELS: dict[str, TorchPredict] = {"linear": linear, "mlp": mlp}
PLAIN: dict[str, plain.Predict] = {
    "copy-last": lambda context, _: context[-1],
    "context-mean": lambda context, _: context.mean(axis=0),
    "oracle": lambda _, target: target,
    **{name: one_at_a_time(predict) for name, predict in MODELS.items()},
}
"""Every predictor under test, as the plain loops call it."""


def predictor(name: str, corpus: Corpus, registry: Registry) -> Predictor:
    """The same predictor, as lvmcore calls it."""
    return Predictor(name, MODELS[name]) if name in MODELS else yardstick(name, corpus, registry)


# --- corpora


def corpus_of(articles: list[np.ndarray], splits: list[int], dtype: torch.dtype = torch.float16) -> Corpus:
    vectors = torch.from_numpy(np.concatenate(articles)).to(dtype)
    starts = torch.tensor([0, *np.cumsum([len(rows) for rows in articles]).tolist()])
    return Corpus(vectors, starts, torch.tensor(splits, dtype=torch.uint8), CorpusInfo(name="synthetic"))


def random_articles(lengths: list[int], seed: int) -> list[np.ndarray]:
    """Articles of unequal coherence, so that every bin of E has windows."""
    random = np.random.default_rng(seed)
    topics = random.normal(size=(len(lengths), 1, DIM)) * random.choice([0.3, 1.0, 1.0, 2.0], (len(lengths), 1, 1))
    return [
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (topic + random.normal(size=(count, DIM)) for topic, count in zip(topics, lengths, strict=True))
    ]


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    """Training articles, and some of VAL and OOD of any length from none on, in any order, with duplicated rows."""
    at_a_border = st.sampled_from(
        [0, 5, 6, 7, 8, 9, 10, 11]
    )  # of having windows, all eight rows, five steps, candidates
    lengths = st.lists(at_a_border | st.integers(0, 20), min_size=1, max_size=4)
    val, ood = draw(lengths), draw(lengths)
    assume(max(*val, *ood) > CONTEXT)
    counts, splits = [*TRAINING, *val, *ood], [0] * len(TRAINING) + [1] * len(val) + [2] * len(ood)
    order = draw(st.permutations(range(len(counts))))
    counts, splits = [counts[i] for i in order], [splits[i] for i in order]
    vectors = np.concatenate(random_articles(counts, draw(st.integers(0, 1000))))
    place = st.integers(0, len(vectors) - 1)
    for source, copy in draw(st.lists(st.tuples(place, place), max_size=8)):
        vectors[copy] = vectors[source]
    for row, back in draw(st.lists(st.tuples(place, st.integers(1, 8)), max_size=4)):  # copies near one another
        vectors[row] = vectors[max(row - back, 0)]
    dtype = draw(st.sampled_from([torch.float16, torch.float32]))
    return corpus_of(np.split(vectors, np.cumsum(counts)[:-1]), splits, dtype)


def even_corpus(seed: int = 0, articles: int = 12, rows: int = 16) -> Corpus:
    """No row twice; half the articles are of train, a quarter each of VAL and OOD."""
    return corpus_of(random_articles([rows] * articles, seed), [(0, 1, 0, 2)[i % 4] for i in range(articles)])


# --- agreement


def test_the_corpora_drawn_reach_every_case() -> None:
    cases: set[str] = set()

    @settings(max_examples=60)
    @given(corpus=corpora())
    def look(corpus: Corpus) -> None:
        predictor = Predictor("last", lambda context, _: context[:, -1])
        found = batched(predictor, corpus)[0]["splits"]
        cases.update({f"{len(found)} splits"})
        for held in found.values():
            cases.update(f"{name} bin" for name in ("low", "normal", "high") if held["E"][name]["windows"])
            cases.update(f"no {letter}" for letter in "AD" if not held[letter]["windows"])
            cases.update(f"copies, {kind}" for kind in ("all", "unseen") if held["B"][kind]["duplicates"])
            cases.update(["a row to borrow"] if held["C"]["foreign"] is not None else ["no row to borrow"])
            cases.update(["an article skipped"] if held["B"]["unseen"]["skipped_articles"] else [])
            cases.update(["all articles skipped"] if not held["B"]["unseen"]["windows"] else [])

    look()
    expected = ("1 splits", "2 splits", "low bin", "normal bin", "high bin", "no A", "no D", "copies, all")
    expected += ("copies, unseen", "a row to borrow", "no row to borrow", "an article skipped", "all articles skipped")
    assert cases == set(expected)


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=25)
@given(corpus=corpora(), seed=st.integers(0, 3), batch_size=st.sampled_from([1, 7, 256]))
def test_every_figure_and_count_of_5cat_is_that_of_the_plain_loop(
    registry: Registry, name: str, corpus: Corpus, seed: int, batch_size: int
) -> None:
    filtered = yardstick("filter", corpus, registry).predict
    found, _ = batched(predictor(name, corpus, registry), corpus, filter=filtered, seed=seed, batch_size=batch_size)
    expected = looped(name, PLAIN[name], corpus, seed)
    assert list(found["splits"]) == list(expected["splits"])
    assert not differences(found["splits"], expected["splits"], TOLERANCE)
    assert not differences(found["E_delta"], expected["E_delta"], TOLERANCE)
    for split, held in found["splits"].items():
        lengths = [int(corpus.starts[i + 1] - corpus.starts[i]) for i in numbers_of(corpus, split)]
        assert held["articles"] == sum(length > CONTEXT for length in lengths)


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=25)
@given(corpus=corpora(), limit=st.sampled_from([None, None, 3, 20]), batch_size=st.sampled_from([1, 7, 256]))
def test_every_figure_and_count_of_2025_is_that_of_the_plain_loop(
    registry: Registry, name: str, corpus: Corpus, limit: int | None, batch_size: int
) -> None:
    found, columns = batched(
        predictor(name, corpus, registry), corpus, FIVECAT_2025, limit=limit, batch_size=batch_size
    )
    expected, bounds = looped_2025(name, PLAIN[name], corpus, limit)
    assert list(found["splits"]) == list(expected["splits"])
    assert not differences(found["splits"], expected["splits"], TOLERANCE)
    assert not differences(found["E_delta"], expected["E_delta"], TOLERANCE)
    assert not ranks_outside(columns, bounds)
    for split, held in columns.items():
        ranks = held["B/all/rank"][~np.isnan(held["B/all/rank"])]  # beyond the limit there is none
        retrieval = found["splits"][split]["B"]["all"]
        assert retrieval["r1"] == pytest.approx(np.mean(ranks <= 1))
        assert retrieval["r5"] == pytest.approx(np.mean(ranks <= 5))
        assert retrieval["mrr"] == pytest.approx(np.mean(1 / ranks))


def test_windows_left_out_of_retrieval_count_no_duplicates(registry: Registry) -> None:
    rows = random_articles([10], 0)[0]  # five unseen candidates: too few
    rows[9] = rows[0]
    corpus = corpus_of([rows], [1])
    unseen = batched(predictor("copy-last", corpus, registry), corpus)[0]["splits"]["val"]["B"]["unseen"]
    assert (unseen["windows"], unseen["skipped_articles"]) == (0, 1)
    assert unseen["duplicates"] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_plain_2025_ranks_lie_within_the_same_bounds(dtype: type) -> None:
    articles = [plain.unit_rows(rows) for rows in random_articles([40, 30], 1)]
    got = plain_2025.evaluate(PLAIN["oracle"], articles, {"val": [0, 1]}, dtype=dtype)["splits"]["val"]["B"]["all"]
    bounds = [rank_bounds(PLAIN["oracle"], window) for window in plain.windows_of(enumerate(articles))]
    assert set(bounds) == {(1, 2)}  # rounding alone decides whether the target outranks itself
    assert 0.5 <= got["mrr"] <= 1
    assert got["r5"] == 1


# --- invariance


@pytest.mark.parametrize("name", [*PLAIN, "random"])
@pytest.mark.parametrize("protocol", [FIVECAT, FIVECAT_2025], ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("batch_size", [1, 2, 13, 1000])
def test_figures_do_not_depend_on_the_batch_size(
    registry: Registry, name: str, protocol: NamedProtocol, batch_size: int
) -> None:
    corpus = even_corpus()
    own = predictor(name, corpus, registry)
    filtered = yardstick("filter", corpus, registry).predict if protocol is FIVECAT else None
    base, _ = batched(own, corpus, protocol, filtered)
    other, _ = batched(own, corpus, protocol, filtered, batch_size=batch_size)
    if protocol is FIVECAT_2025:  # its ranks are decided by rounding, which the batch may change
        for split in (*base["splits"].values(), *other["splits"].values()):
            del split["B"]
    assert not differences(other, base, 1e-5)


@pytest.mark.parametrize("name", [*PLAIN, "random"])
def test_figures_of_5cat_do_not_depend_on_the_order_of_articles(registry: Registry, name: str) -> None:
    corpus = even_corpus(seed=5)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(corpus.splits)).tolist()
        other = of_articles(corpus, order)
        found = [
            batched(predictor(name, held, registry), held, filter=yardstick("filter", held, registry).predict)[0]
            for held in (corpus, other)
        ]
        assert not differences(found[1], found[0], 1e-5)


def test_figures_do_not_depend_on_the_order_of_articles_that_share_rows(registry: Registry) -> None:
    for seed in range(10):
        articles = random_articles([10] * 4, seed)
        for rows in articles[1:]:
            rows[3:6] = articles[0][3:6]
        corpus = corpus_of(articles, [1] * 4)
        for order in ([2, 0, 3, 1], [3, 2, 1, 0]):
            found = [
                batched(predictor("copy-last", held, registry), held)[0]
                for held in (corpus, of_articles(corpus, order))
            ]
            assert not differences(found[1], found[0], 1e-5)


@pytest.mark.parametrize("name", MODELS)
@given(corpus=corpora())
@settings(max_examples=15)
def test_a_predictor_in_float64_has_the_figures_of_one_in_float32(name: str, corpus: Corpus) -> None:
    double = Predictor(name, lambda context, target: MODELS[name](context.double(), target.double()))
    single = batched(Predictor(name, MODELS[name]), corpus)[0]
    assert not differences(batched(double, corpus)[0], single, 1e-5)


# --- what rows and windows hold


def test_rows_are_alike_where_they_are_equal_and_not_where_only_their_keys_are() -> None:
    rows = random_articles([20], 12)[0]
    rows[3] = rows[1] * (1 + 1e-6)  # the same as float16, from which the keys are drawn
    rows[5], rows[7], rows[9] = rows[1], rows[3], rows[1]
    corpus = corpus_of([rows, rows[:8]], [1, 1], torch.float32)
    first = list(range(20))
    first[5], first[7], first[9] = 1, 3, 1
    assert ContentKeys(corpus, "val").alike(torch.arange(len(corpus))).tolist() == first + first[:8]


def test_a_row_is_alike_to_none_but_those_that_were_asked_for() -> None:
    rows = random_articles([9], 13)[0]
    keys = ContentKeys(corpus_of([rows, rows], [2, 1]), "val")
    assert keys.alike(torch.arange(9, 18)).tolist() == list(range(9, 18))


# --- the choices drawn by content


def drawn(corpus: Corpus, split: str, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Targets (W,), permutations (W, C), foreign rows (W,) and where there is one (W,) of a split's windows."""
    windows = corpus.windows(split, CONTEXT)
    batch = windows.take(torch.arange(len(windows)))
    keys = ContentKeys(corpus, split, seed)
    rows, there = keys.foreign(batch, keys.of(batch))
    return batch.targets, permutations(keys.of(batch), CONTEXT), rows, there


@pytest.mark.parametrize("source", ["counted keys", "keys of windows"])
def test_shuffles_are_uniform_over_the_119_orders_that_are_not_the_identity(source: str) -> None:
    count = 119 * 200
    if source == "counted keys":
        orders = permutations(torch.arange(count), CONTEXT)
    else:
        orders = drawn(corpus_of(random_articles([count // 4 + CONTEXT] * 4, 2), [1] * 4), "val")[1]
    seen = dict.fromkeys(itertools.permutations(range(CONTEXT)), 0)
    for order in orders.tolist():
        seen[tuple(order)] += 1
    assert seen.pop((0, 1, 2, 3, 4)) == 0
    assert sum(seen.values()) == count
    chi_square = sum((times - 200) ** 2 / 200 for times in seen.values())
    assert 72 < chi_square < 175  # 118 degrees of freedom: 0.0005 in either tail


@given(corpus=corpora(), seed=st.integers(0, 3))
def test_the_foreign_row_is_of_another_article_of_the_same_split(corpus: Corpus, seed: int) -> None:
    for split in ("val", "ood"):
        if not len(corpus.windows(split, CONTEXT)):
            continue
        targets, _, rows, there = drawn(corpus, split, seed)
        filled = [i for i in numbers_of(corpus, split) if len(articles_of(corpus)[i])]
        assert there.tolist() == [len(filled) > 1] * len(targets)
        chosen = corpus.article_of[rows[there]]
        assert (chosen != corpus.article_of[targets[there]]).all()
        assert set(chosen.tolist()) <= set(filled)


def test_foreign_rows_come_from_all_over_the_other_articles() -> None:
    corpus = corpus_of(random_articles([405] * 5, 3), [1] * 5)
    targets, _, rows, _ = drawn(corpus, "val")
    own, chosen = corpus.article_of[targets], corpus.article_of[rows]
    for article in range(5):
        times = torch.bincount(chosen[own == article], minlength=5).tolist()
        assert times.pop(article) == 0
        assert all(70 < time < 130 for time in times)  # 100 expected, deviation 8.7
    assert len(set(rows.tolist())) > 0.55 * len(targets)  # 1 - 1/e of the rows come up, were they drawn freely


def test_the_choices_for_a_window_are_the_same_at_another_index() -> None:
    corpus = even_corpus(seed=7)
    order = np.random.default_rng(0).permutation(len(corpus.splits)).tolist()
    other = of_articles(corpus, order)
    for split in ("val", "ood"):
        by_content = []
        for held in (corpus, other):
            targets, orders, rows, _ = drawn(held, split)
            contexts = [held.vectors[target - CONTEXT : target].numpy().tobytes() for target in targets.tolist()]
            choices = [
                (tuple(o), held.vectors[row].numpy().tobytes()) for o, row in zip(orders.tolist(), rows, strict=True)
            ]
            by_content.append(dict(zip(contexts, choices, strict=True)))
        assert by_content[0] == by_content[1]
        assert corpus.windows(split).targets[:].tolist() != other.windows(split).targets[:].tolist()


def test_a_window_that_occurs_twice_gets_the_same_choices() -> None:
    first, second = random_articles([30, 30], 8)
    first[20:26] = first[3:9]  # a passage of six rows, twice in one article
    corpus = corpus_of([first, second], [1, 1])
    targets, orders, rows, _ = drawn(corpus, "val")
    one, two = targets.tolist().index(8), targets.tolist().index(25)
    assert orders[one].tolist() == orders[two].tolist()
    assert rows[one] == rows[two]


def test_the_choices_do_not_depend_on_the_storage_type_or_on_the_windows_of_the_batch() -> None:
    corpus = even_corpus(seed=9)
    single = Corpus(corpus.vectors.float(), corpus.starts, corpus.splits, corpus.info)
    for own, other in zip(drawn(corpus, "val"), drawn(single, "val"), strict=True):
        assert own.tolist() == other.tolist()
    windows, keys = corpus.windows("val"), ContentKeys(corpus, "val")
    whole = keys.of(windows.take(torch.arange(len(windows))))
    assert whole.tolist() == [int(keys.of(windows.take(torch.tensor([i])))) for i in range(len(windows))]


def test_the_choices_come_from_every_row_of_the_context_and_their_order() -> None:
    rows = random_articles([6], 11)[0]
    variants = [rows.copy() for _ in range(7)]
    for place in range(CONTEXT):
        variants[place + 1][place] = -rows[place]
    variants[6][:CONTEXT] = rows[:CONTEXT][::-1]
    corpus = corpus_of(variants, [1] * len(variants))
    windows = corpus.windows("val", CONTEXT)
    assert len(set(ContentKeys(corpus, "val").of(windows.take(torch.arange(7))).tolist())) == 7


def test_another_seed_gives_other_choices() -> None:
    corpus = even_corpus(seed=10)
    _, orders, rows, _ = drawn(corpus, "val", seed=0)
    _, others, other_rows, _ = drawn(corpus, "val", seed=1)
    assert (orders == others).all(1).float().mean() < 0.2
    assert (rows == other_rows).float().mean() < 0.3
