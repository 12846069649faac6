"""The plain references give the figures that a person works out by hand, and know an oracle from a cheat.

The hand-made articles use a = (1, 0), b = (0, 1), c = (.6, .8) and d = (.8, .6), whose cosines are
ab 0, ac .6, ad .8, bc .8, bd .6, cd .96. `copy-last` returns x_{t-1}, so every figure can be read off the rows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import plain_5cat as plain
import plain_5cat_2025 as plain_2025
import pytest
from numpy.typing import NDArray
from plain_5cat import Array, Window

A, B, C, D = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.6, 0.8]), np.array([0.8, 0.6])
SEVEN = np.stack([A, B, C, D, A, C, B])
"""Windows t = 5 (context a b c d a, target c) and t = 6 (context b c d a c, target b)."""
TEN = np.stack([A, B, C, D, A, C, B, D, A, B])
CYCLE = (1, 2, 3, 4, 0)


def copy_last(context: Array, _: Array) -> Array:
    return context[-1]


def copy_first(context: Array, _: Array) -> Array:
    return context[0]


def context_mean(context: Array, _: Array) -> Array:
    return context.mean(axis=0)


def oracle(_: Array, target: Array) -> Array:
    return target


def cycle(_: int, __: int) -> Sequence[int]:
    return CYCLE


def no_foreign(_: int, __: int) -> None:
    return None


def split_of(predict: plain.Predict, *articles: Array, **options: Any) -> dict[str, Any]:
    """The figures of one split under `5cat`."""
    choices = {"baseline": context_mean, "permute": cycle, "foreign": no_foreign} | options
    return plain.evaluate(predict, articles, {"val": range(len(articles))}, **choices)["splits"]["val"]


def split_of_2025(predict: plain.Predict, *articles: Array, **options: Any) -> dict[str, Any]:
    """The figures of one split under `5cat-2025`."""
    return plain_2025.evaluate(predict, articles, {"val": range(len(articles))}, **options)["splits"]["val"]


def walk(rows: int = 40, dim: int = 12, seed: int = 0, step: float = 0.5) -> NDArray[np.float64]:
    """A random walk, each row scaled to unit norm."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(size=(rows, dim)) * step
    steps[0] += generator.normal(size=dim)
    return plain.unit_rows(np.cumsum(steps, axis=0))


def at_angles(*degrees: float) -> NDArray[np.float64]:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


# --- 5cat by hand


def test_cosine_is_the_mean_over_the_windows() -> None:
    got = split_of(copy_last, SEVEN)
    assert got["windows"] == 2
    assert got["cosine"] == pytest.approx((0.6 + 0.8) / 2)  # a with c; c with b


def test_offsets_are_counted_from_the_last_context_row() -> None:
    got = split_of(copy_last, at_angles(*range(0, 30 * 8, 30)))["A"]
    expected = {f"{k:+d}" if k else "0": np.cos(np.radians(30 * k)) for k in range(-4, 4)}
    assert list(got["offsets"]) == ["-4", "-3", "-2", "-1", "0", "+1", "+2", "+3"]
    assert got["offsets"] == pytest.approx(expected)
    assert got["windows"] == 1  # t = 5: rows 0 … 7
    assert got["margin"] == got["margin_last"] == pytest.approx(np.sqrt(3) / 2 - 1)


def test_the_sweep_takes_the_windows_that_have_all_eight_rows() -> None:
    assert split_of(copy_last, SEVEN)["A"]["windows"] == 0
    assert split_of(copy_last, SEVEN)["A"]["offsets"]["0"] is None
    assert split_of(copy_last, SEVEN)["A"]["margin"] is None
    got = split_of(copy_last, np.stack([*SEVEN, D, A]))["A"]  # t = 5 and t = 6: p = a, then c
    assert got["windows"] == 2
    assert got["offsets"] == pytest.approx(
        {
            "-4": (1.0 + 0.8) / 2,  # a a, c b
            "-3": (0.0 + 1.0) / 2,  # a b, c c
            "-2": (0.6 + 0.96) / 2,  # a c, c d
            "-1": (0.8 + 0.6) / 2,  # a d, c a
            "0": 1.0,
            "+1": (0.6 + 0.8) / 2,  # a c, c b
            "+2": (0.0 + 0.96) / 2,  # a b, c d
            "+3": (0.8 + 0.6) / 2,  # a d, c a
        }
    )
    assert got["margin"] == got["margin_last"] == pytest.approx(0.7 - 1.0)


def test_the_margin_is_over_the_means_and_not_the_mean_of_margins() -> None:
    # p = x_{t-5}: s(-4) = 1 always; the rival of margin is row -4, that of margin_last is row 0
    got = split_of(copy_first, np.stack([*SEVEN, D, A]))["A"]
    forward, last = (0.6 + 1.0) / 2, (1.0 + 0.8) / 2  # a c, b b; a a, b c
    assert got["margin"] == pytest.approx(forward - 1.0)
    assert got["margin_last"] == pytest.approx(forward - last)


def test_gain_is_the_cosine_less_that_of_the_filter() -> None:
    got = split_of(copy_last, SEVEN, baseline=copy_first)
    assert got["A"]["gain"] == pytest.approx(0.7 - (0.6 + 1.0) / 2)  # x_0 with x_5: ac; x_1 with x_6: bb


def test_direction_asks_the_reversed_context_for_the_row_before_it() -> None:
    # only t = 6 has row t - 6 = 0, which is a; the context is b c d a c, the target b
    got = split_of(copy_last, SEVEN, baseline=copy_first)["A"]
    forwards = 0.8 - 1.0  # c with b, less b with b
    backwards = 0.0 - 0.6  # read backwards the last row is b: b with a, less c with a
    assert got["direction"] == pytest.approx(forwards - backwards)


@pytest.mark.parametrize("predict", [copy_last, context_mean])
def test_a_process_alike_both_ways_has_no_direction(predict: plain.Predict) -> None:
    turning = at_angles(*range(0, 300, 20))
    assert split_of(predict, turning, baseline=copy_first)["A"]["direction"] == pytest.approx(0)


def test_ranks_count_all_rows_and_ties_stand_at_each_of_their_places() -> None:
    got = split_of(copy_last, SEVEN)["B"]["all"]
    # t = 5: p = a beside a b c d a c b gives 1 0 .6 .8 1 .6 0: three above .6 and one tie, place 4 or 5
    # t = 6: p = c gives .6 .8 1 .96 .6 1 .8: three above .8 and one tie, place 4 or 5
    assert got["r1"] == 0
    assert got["r5"] == 1
    assert got["mrr"] == pytest.approx((1 / 4 + 1 / 5) / 2)
    assert (got["windows"], got["skipped_articles"], got["duplicates"]) == (2, 0, 2)
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5 + 1 / 6 + 1 / 7
    assert got["chance_r1"] == pytest.approx(1 / 7)
    assert got["chance_r5"] == pytest.approx(5 / 7)
    assert got["chance_mrr"] == pytest.approx(harmonic / 7)


def test_unseen_candidates_leave_out_the_context_and_articles_of_fewer_than_six() -> None:
    article = at_angles(0, 10, 25, 45, 70, 100, 95, 60, 62, 160, 200)  # 11 rows: 6 candidates
    short = article[:10]  # 5 candidates
    got = split_of(copy_last, article, short)["B"]
    assert (got["all"]["windows"], got["all"]["skipped_articles"]) == (6 + 5, 0)
    assert (got["unseen"]["windows"], got["unseen"]["skipped_articles"]) == (6, 1)
    ranks = [  # the angle from x_{t-1} to the target | to the other five candidates
        4,  # t = 5, from 70: 30 | 25 10 8 90 130
        1,  # t = 6, from 100: 5 | 100 40 38 60 100
        2,  # t = 7, from 95: 35 | 95 85 33 65 105
        1,  # t = 8, from 60: 2 | 60 50 35 100 140
        5,  # t = 9, from 62: 98 | 62 52 37 17 138
        1,  # t = 10, from 160: 40 | 160 150 135 115 90
    ]
    assert got["unseen"]["mrr"] == pytest.approx(sum(1 / rank for rank in ranks) / 6)
    assert got["unseen"]["r1"] == pytest.approx(sum(rank <= 1 for rank in ranks) / 6)
    assert got["unseen"]["chance_r1"] == pytest.approx(1 / 6)
    assert got["unseen"]["chance_r5"] == pytest.approx(5 / 6)
    assert got["all"]["chance_r1"] == pytest.approx((6 / 11 + 5 / 10) / 11)


def test_articles_without_a_window_count_as_skipped() -> None:
    got = split_of(copy_last, SEVEN, SEVEN[:5], SEVEN[:6])["B"]
    assert (got["all"]["windows"], got["all"]["skipped_articles"]) == (3, 1)
    assert (got["unseen"]["windows"], got["unseen"]["skipped_articles"]) == (0, 3)
    assert got["unseen"]["r1"] is None


@pytest.mark.parametrize(("copies", "rank", "r1"), [(0, 1.0, 1), (1, 1.5, 1 / 2), (2, 2.0, 1 / 3)])
def test_a_duplicate_of_the_target_costs_half_a_rank_even_to_the_oracle(copies: int, rank: float, r1: float) -> None:
    similarities = np.array([0.2, *[0.7] * copies, 0.7, 0.1])
    target = 1 + copies
    places = plain.places_of(similarities, target, [row for row in range(len(similarities)) if row != target])
    assert plain.mean(places) == rank
    assert plain.recalls([places])["r1"] == r1


def test_a_copy_in_the_context_is_no_unseen_duplicate() -> None:
    rows = walk(12)
    rows[6] = rows[4]  # the target of t = 6 lies in its own context; later windows see both copies or neither
    got = split_of(oracle, rows)["B"]
    assert got["all"]["duplicates"] == 1
    assert got["all"]["r1"] == pytest.approx((6 + 1 / 2) / 7)
    assert got["all"]["mrr"] == pytest.approx((6 + (1 + 1 / 2) / 2) / 7)
    assert (got["unseen"]["duplicates"], got["unseen"]["r1"]) == (0, 1)


def test_equal_rows_tie_bit_for_bit() -> None:
    rows = walk(37, dim=33)
    rows[30] = rows[7]
    similarities = plain.similarities_to(rows, rows[20])
    assert similarities[30] == similarities[7]


def test_ablations_by_hand() -> None:
    got = split_of(copy_last, SEVEN, foreign=lambda _, t: {5: B, 6: D}[t])["C"]
    # cos with the target: t = 5 a c .6, t = 6 c b .8
    assert got["windows"] == 2
    # the last of (1 2 3 4 0) is row 0: t = 5 a c .6, t = 6 b b 1; so is that of the reversed context
    assert got["shuffle"] == pytest.approx((0.0 + 0.2) / 2)
    assert got["reverse"] == pytest.approx((0.0 + 0.2) / 2)
    # dropping the last row leaves d, then a: t = 5 d c .96, t = 6 a b 0; the other four change nothing
    assert got["leave_one_out"] == pytest.approx(((0.96 - 0.6) / 5 + (0.0 - 0.8) / 5) / 2)
    assert got["repeat"] == 0
    # b c .8, d b .6
    assert got["foreign"] == pytest.approx((0.2 - 0.2) / 2)


def test_ablations_of_the_first_row_by_hand() -> None:
    got = split_of(copy_first, SEVEN, foreign=lambda _, t: {5: B, 6: D}[t])["C"]
    # cos with the target: t = 5 a c .6, t = 6 b b 1
    assert got["shuffle"] == pytest.approx((0.8 + 0.8) / 2 - 0.8)  # row 1: b c, c b
    # dropping row 0 puts row 1 at the front, dropping another repeats row 0
    assert got["leave_one_out"] == pytest.approx(((0.8 - 0.6) / 5 + (0.8 - 1.0) / 5) / 2)
    assert got["repeat"] == pytest.approx((0.6 + 0.8) / 2 - 0.8)  # a c, c b
    assert got["foreign"] == 0


def test_ablated_contexts_row_by_row() -> None:
    rows = np.eye(6)
    contexts = plain.ablated(Window(0, rows, 5), lambda _, __: (3, 1, 4, 0, 2), lambda _, __: rows[5])
    places = {name: [context.argmax(1).tolist() for context in held] for name, held in contexts.items()}
    assert places == {
        "shuffle": [[3, 1, 4, 0, 2]],
        "reverse": [[4, 3, 2, 1, 0]],
        "leave_one_out": [[1, 1, 2, 3, 4], [0, 0, 2, 3, 4], [0, 0, 1, 3, 4], [0, 0, 1, 2, 4], [0, 0, 1, 2, 3]],
        "repeat": [[4, 4, 4, 4, 4]],
        "foreign": [[0, 1, 2, 3, 5]],
    }


def test_without_another_article_foreign_is_not_measured() -> None:
    got = split_of(copy_last, SEVEN)["C"]
    assert got["foreign"] is None
    assert got["repeat"] == 0


def test_a_rollout_compares_each_step_with_the_row_it_predicts() -> None:
    got = split_of(copy_last, TEN)["D"]  # only t = 5 has five rows: a stays a, beside c b d a b
    assert got["windows"] == 1
    assert got["curve"] == pytest.approx([0.6, 0.0, 0.8, 1.0, 0.0])
    assert got["score"] == pytest.approx(2.4 / 5)
    assert split_of(copy_last, SEVEN)["D"] == {"score": None, "curve": [None] * 5, "windows": 0}


def test_predictions_slide_into_the_context() -> None:
    seen = []

    def counting(context: Array, _: Array) -> Array:
        seen.append(context.copy())
        return np.array([3.0 * len(seen), 0.0])

    plain.rollout(counting, plain.windows_of([(0, TEN)]))
    for h, context in enumerate(seen):
        np.testing.assert_array_equal(context, np.stack([*TEN[h:5], *[A] * h]))  # of unit norm again


def test_bins_hold_their_windows() -> None:
    # adjacent pairs all 45°, 60°, 65° apart: coherence .707, .5, .423
    got = {angle: split_of(copy_last, at_angles(*(angle * i for i in range(7))))["E"] for angle in (45, 60, 65)}
    filled = {45: "high", 60: "normal", 65: "low"}
    for angle, name in filled.items():
        cosine = np.cos(np.radians(angle))
        assert got[angle][name]["windows"] == 2
        assert got[angle][name]["cosine"] == pytest.approx(cosine)
        for other in {"low", "normal", "high"} - {name}:
            assert got[angle][other] == {"cosine": None, "gain": None, "windows": 0}


@pytest.mark.parametrize(
    ("coherence", "name"),
    [(0.4499, "low"), (0.45, "normal"), (0.5, "normal"), (0.55, "normal"), (0.5501, "high"), (-1.0, "low")],
)
def test_borders_of_the_bins(coherence: float, name: str) -> None:
    assert plain.bin_of(coherence) == name


def test_coherence_is_the_mean_of_the_four_adjacent_pairs() -> None:
    assert plain.coherence(SEVEN[:5]) == pytest.approx((0.0 + 0.8 + 0.96 + 0.8) / 4)


def test_the_gain_of_a_bin_is_over_its_windows() -> None:
    got = split_of(copy_last, SEVEN, baseline=copy_first)["E"]["high"]  # coherence .64 and .79
    assert got["windows"] == 2
    assert got["gain"] == pytest.approx(((0.6 - 0.6) + (0.8 - 1.0)) / 2)


@pytest.mark.parametrize("module", [plain, plain_2025])
def test_delta_is_between_the_normal_bins_of_val_and_ood(module: Any) -> None:
    articles = [at_angles(*(angle * i for i in range(7))) for angle in (60, 58, 45)]
    options = {"baseline": copy_last, "permute": cycle, "foreign": no_foreign} if module is plain else {}
    splits = {"val": [0], "ood": [1]}
    got = module.evaluate(copy_last, articles, splits, **options)
    assert got["E_delta"] == pytest.approx(np.cos(np.radians(58)) - 0.5)
    assert module.evaluate(copy_last, articles, {"val": [0], "ood": [2]}, **options)["E_delta"] is None
    assert module.evaluate(copy_last, articles, {"val": [0]}, **options)["E_delta"] is None


# --- 5cat-2025 by hand


def test_offsets_of_2025_are_counted_from_the_target() -> None:
    got = split_of_2025(copy_last, at_angles(*range(0, 30 * 9, 30)))["A"]  # only t = 5 has row t + 3
    assert list(got["offsets"]) == ["-3", "-2", "-1", "0", "+1", "+2", "+3"]
    expected = [np.cos(np.radians(30 * (k + 1))) for k in range(-3, 4)]
    assert list(got["offsets"].values()) == pytest.approx(expected)
    assert got["windows"] == 1
    assert got["margin"] == pytest.approx(0.5 - 1.0)  # the row after the target, 60° away, less copy-last's own


def test_ranks_of_2025_count_the_context_and_no_ties() -> None:
    got = split_of_2025(copy_last, SEVEN)["B"]
    assert list(got) == ["all"]
    # as under 5cat but ties are free, if rounding agrees: three rows above in both windows
    assert got["all"]["mrr"] == pytest.approx(1 / 4)
    assert (got["all"]["r1"], got["all"]["r5"], got["all"]["windows"]) == (0, 1, 2)
    assert got["all"]["duplicates"] == 2
    assert got["all"]["chance_r5"] == pytest.approx(5 / 7)


def test_ablations_of_2025_by_hand() -> None:
    got = split_of_2025(copy_last, SEVEN)["C"]
    rng = random.Random(17)
    orders = []
    for _ in range(2):
        order = list(range(5))
        rng.shuffle(order)
        orders.append(order)
    contexts, targets = (SEVEN[0:5], SEVEN[1:6]), (C, B)
    shuffled = [contexts[w][orders[w][-1]] @ targets[w] for w in range(2)]
    assert got["shuffle"] == pytest.approx((shuffled[0] - 0.6 + shuffled[1] - 0.8) / 2)
    assert got["reverse"] == pytest.approx((0.0 + 0.2) / 2)
    assert got["leave_one_out"] == pytest.approx(0, abs=1e-12)  # copy-last is never caught
    assert got["repeat"] == pytest.approx(0, abs=1e-12)
    assert got["foreign"] == pytest.approx((0.0 + 0.2) / 2)  # the first row again: a c, b b
    assert got["windows"] == 2


def test_ablated_contexts_of_2025_row_by_row() -> None:
    rng = random.Random(17)
    contexts = plain_2025.ablated(np.eye(5), rng)
    places = {name: [context.argmax(1).tolist() for context in held] for name, held in contexts.items()}
    assert sorted(places.pop("shuffle")[0]) == [0, 1, 2, 3, 4]
    assert places == {
        "reverse": [[4, 3, 2, 1, 0]],
        "leave_one_out": [[1, 2, 3, 4, 4], [0, 2, 3, 4, 4], [0, 1, 3, 4, 4], [0, 1, 2, 4, 4], [0, 1, 2, 3, 4]],
        "repeat": [[4, 4, 4, 4, 4]],
        "foreign": [[0, 1, 2, 3, 0]],
    }


def test_the_shuffle_of_2025_may_be_the_identity() -> None:
    rng = random.Random(17)
    orders = [plain_2025.ablated(np.eye(5), rng)["shuffle"][0].argmax(1).tolist() for _ in range(2000)]
    assert 0 < orders.count([0, 1, 2, 3, 4]) < 40  # 17 expected


def test_shuffles_of_2025_begin_anew_in_each_split() -> None:
    got = plain_2025.evaluate(copy_last, [walk(12), walk(12)], {"val": [0], "ood": [1]})["splits"]
    assert got["val"] == got["ood"]


def test_a_rollout_of_2025_compares_each_step_with_the_row_after() -> None:
    got = split_of_2025(copy_last, np.stack([*TEN, C]))["D"]  # t = 5 alone: a beside b d a b c
    assert got["windows"] == 1
    assert got["curve"] == pytest.approx([0.0, 0.8, 1.0, 0.0, 0.6])
    assert split_of_2025(copy_last, TEN)["D"]["windows"] == 0


def test_the_limit_of_2025_is_for_each_test() -> None:
    rows = walk(40)
    got = split_of_2025(copy_last, rows[:9], rows, limit=3)  # the short one has 4 windows, of which 1 serves A, none D
    assert got["windows"] == got["B"]["all"]["windows"] == got["C"]["windows"] == got["A"]["windows"] == 3
    assert got["D"]["windows"] == 3
    read = split_of_2025(copy_last, rows[:9], rows, limit=3, counted="read")
    assert (read["windows"], read["A"]["windows"], read["D"]["windows"]) == (3, 1, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_of_2025_is_in_the_precision_asked_for(dtype: type) -> None:
    seen = set()

    def noting(context: Array, target: Array) -> Array:
        seen.update({context.dtype, target.dtype})
        return context[-1]

    got = split_of_2025(noting, walk(20), dtype=dtype)
    assert seen == {np.dtype(dtype)}
    assert got["A"]["offsets"] == pytest.approx(split_of_2025(copy_last, walk(20))["A"]["offsets"], abs=1e-6)


# --- controls, both protocols


def test_the_oracle_is_perfect_under_5cat_and_not_under_2025() -> None:
    articles = [walk(seed=seed) for seed in range(6)]
    got, old = split_of(oracle, *articles), split_of_2025(oracle, *articles)
    assert got["cosine"] == pytest.approx(1)
    assert got["A"]["offsets"]["+1"] == pytest.approx(1)
    assert got["A"]["margin"] > 0
    assert got["A"]["gain"] > 0
    for candidates in ("all", "unseen"):
        assert got["B"][candidates]["r1"] == got["B"][candidates]["r5"] == got["B"][candidates]["mrr"] == 1
        assert got["B"][candidates]["duplicates"] == 0
    assert got["D"]["score"] == pytest.approx(1)
    assert got["D"]["curve"] == pytest.approx([1] * 5)
    assert [held["cosine"] for held in got["E"].values() if held["windows"]] == pytest.approx([1])
    assert old["A"]["offsets"]["0"] == pytest.approx(1)
    assert old["A"]["margin"] < -0.01
    assert old["D"]["score"] < 0.99


def test_copy_last_is_found_out() -> None:
    articles = [walk(seed=seed) for seed in range(6)]
    got, old = split_of(copy_last, *articles), split_of_2025(copy_last, *articles)
    assert got["A"]["offsets"]["0"] == pytest.approx(1)
    assert got["A"]["margin"] < 0
    assert got["A"]["margin"] <= got["A"]["margin_last"]
    assert got["B"]["all"]["r1"] == 0
    assert got["C"]["repeat"] == pytest.approx(0, abs=1e-12)
    # dropping the last row leaves x_{t-2}, in one of five contexts: a fifth of the fall from lag 1 to lag 2
    cosines = [(rows[t - 1] @ rows[t], rows[t - 2] @ rows[t]) for rows in articles for t in range(5, len(rows))]
    fall = np.mean([two - one for one, two in cosines])
    assert got["C"]["leave_one_out"] == pytest.approx(fall / 5)
    assert got["C"]["leave_one_out"] < 0
    assert old["A"]["offsets"]["-1"] == pytest.approx(1)
    assert old["C"]["leave_one_out"] == pytest.approx(0, abs=1e-12)


def test_context_mean_is_blind_to_order() -> None:
    articles = [walk(seed=seed) for seed in range(3)]
    got = split_of(context_mean, *articles, permute=lambda _, t: (2, 0, 1, 4, 3), baseline=context_mean)
    assert got["C"]["shuffle"] == pytest.approx(0, abs=1e-12)
    assert got["C"]["reverse"] == pytest.approx(0, abs=1e-12)
    assert got["A"]["direction"] == got["A"]["gain"] == 0


def test_the_filter_is_the_least_squares_one() -> None:
    # two windows in three dimensions are six equations: the six scalars meet both targets
    articles = list(plain.unit_rows(np.random.default_rng(1).normal(size=(12, 3))).reshape(2, 6, 3))
    filtered = plain.six_scalars(articles)
    for rows in articles:
        np.testing.assert_allclose(filtered(rows[:5], rows[5]), rows[5])
    # a seventh equation and more: no other scalars come nearer, so the residual is at right angles to every feature
    articles = [walk(seed=seed) for seed in range(3)]
    filtered, mean_row = plain.six_scalars(articles), np.concatenate(articles).mean(axis=0)
    windows = plain.windows_of(enumerate(articles))
    residuals = [filtered(window.context, window.target) - window.target for window in windows]
    for i in range(6):
        features = [np.stack([*window.context, mean_row])[i] for window in windows]
        assert sum((a * b).sum() for a, b in zip(features, residuals, strict=True)) == pytest.approx(0, abs=1e-9)


def test_a_vector_of_norm_0_has_cosine_0() -> None:
    got = split_of(lambda context, _: np.zeros(2), SEVEN)
    assert got["cosine"] == 0
    assert got["B"]["all"]["mrr"] == pytest.approx(1 / 7)  # it finds nothing: the last of seven
    assert got["C"]["reverse"] == 0


def test_the_length_of_a_prediction_is_of_no_account() -> None:
    rows = walk()
    scaled = split_of(lambda context, _: 7.5 * context.mean(axis=0), rows)
    assert scaled["D"]["curve"] == pytest.approx(split_of(context_mean, rows)["D"]["curve"])
    assert scaled["B"] == split_of(context_mean, rows)["B"]
