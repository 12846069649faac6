"""Corpora and models at the edge: every figure is defined or null, and what was not measured is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.errors import LvmError
from lvmcore.evaluation.evaluator import evaluate
from lvmcore.evaluation.measurement import Predictor
from lvmcore.evaluation.predictors import yardstick
from lvmcore.evaluation.settings import Settings
from lvmcore.evaluation.statistics import Statistics
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue


def corpus_of(val: list[int], ood: list[int], train: tuple[int, ...] = (20, 20, 20), dim: int = 16) -> Corpus:
    """Articles of so many rows in each split, drifting about a topic."""
    random = np.random.default_rng(3)
    lengths = [*train, *val, *ood]
    rows = np.concatenate([random.normal(size=dim) + 0.7 * random.normal(size=(count, dim)) for count in lengths])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    splits = [0] * len(train) + [1] * len(val) + [2] * len(ood)
    starts = torch.tensor([0, *np.cumsum(lengths).tolist()])
    vectors = torch.from_numpy(rows.astype(np.float16))
    return Corpus(vectors, starts, torch.tensor(splits, dtype=torch.uint8), CorpusInfo(name="edges"))


@pytest.fixture
def evaluated(registry: Registry, catalogue: Catalogue) -> Any:
    def run(predictor: Predictor | str, corpus: Corpus, **settings: Any) -> dict[str, Any]:
        if isinstance(predictor, str):
            predictor = yardstick(predictor, corpus, registry, settings.get("context", 5))
        return evaluate(predictor, corpus, registry, catalogue, Settings(**settings)).document

    return run


def constant(context: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(context), context.shape[2])


def test_articles_of_six_rows_have_one_window_each_and_say_what_they_lack(evaluated: Any) -> None:
    document = evaluated("copy-last", corpus_of([6] * 4, [6] * 4))
    for split in document["splits"].values():
        assert split["windows"] == split["articles"] == 4
        assert split["cosine"]["value"] is not None
        assert split["A"]["windows"] == 0  # the sweep needs two rows after the target
        assert split["A"]["margin"]["value"] is None
        assert split["A"]["direction"]["value"] is None  # and this a sixth row before it
        assert (split["B"]["all"]["windows"], split["B"]["all"]["skipped_articles"]) == (4, 0)
        assert (split["B"]["unseen"]["windows"], split["B"]["unseen"]["skipped_articles"]) == (0, 4)
        assert split["B"]["unseen"]["r5"]["value"] is None
        assert split["C"]["shuffle"]["value"] is not None
        assert (split["D"]["windows"], split["D"]["score"]["value"]) == (0, None)
    assert document["gates"]["A"] is document["gates"]["D"] is None
    assert document["gates"]["why"]["D"] == "rollout VAL –, OOD –: needs ≥ 0.46; not measurable"
    assert document["causal"]["A"] is None or document["causal"]["A"] is False


def test_a_split_without_a_window_is_named_and_its_gates_are_not_passed(evaluated: Any) -> None:
    for ood in ([], [5, 3]):
        document = evaluated("oracle", corpus_of([20] * 5, ood), profile="strict")
        assert list(document["splits"]) == ["val"]
        assert document["empty_splits"] == ["ood"]
        assert "ood holds no window and was not evaluated" in document["warnings"]
        assert document["E_delta"] == {"value": None, "low": None, "high": None}
        assert document["gates"]["passed"] == 0
        assert "not evaluated on OOD" in document["gates"]["why"]["B"]


def test_without_any_window_there_is_nothing_to_evaluate(evaluated: Any) -> None:
    with pytest.raises(LvmError, match="there is no window for evaluation"):
        evaluated("copy-last", corpus_of([5, 5], [3]))


def test_without_training_windows_what_cannot_be_fit_is_named(evaluated: Any) -> None:
    document = evaluated("copy-last", corpus_of([20] * 5, [20] * 5, train=(5,)))
    assert set(document["yardsticks"]) == {"oracle", "copy-last", "context-mean", "random"}
    said = "; ".join(document["warnings"])
    assert "gain and direction are not measured" in said
    assert "yardstick ridge left out" in said
    assert document["splits"]["val"]["A"]["gain"]["value"] is None
    assert document["causal"]["A"] is False


def test_one_article_gives_values_without_intervals(evaluated: Any) -> None:
    document = evaluated("copy-last", corpus_of([30], [30]))
    val = document["splits"]["val"]
    assert val["cosine"]["value"] is not None
    assert val["cosine"]["low"] is val["cosine"]["high"] is None
    assert val["C"]["foreign"]["value"] is None  # there is no other article
    assert document["causal"]["passed"] == 0
    assert sum("below 20" in warning for warning in document["warnings"]) == 2


def test_a_constant_prediction_is_measured_and_passes_nothing(evaluated: Any) -> None:
    document = evaluated(Predictor("constant", constant), corpus_of([20] * 5, [20] * 5), profile="strict")
    for split in document["splits"].values():
        assert all(split["C"][name]["value"] == 0 for name in ("shuffle", "reverse", "leave_one_out", "repeat"))
        assert split["D"]["score"]["value"] == pytest.approx(split["D"]["curve"][0]["value"], abs=0.05)
    assert [document["gates"][letter] for letter in "ABCD"] == [False] * 4
    assert document["causal"]["passed"] == 0


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 0.0])
def test_predictions_that_are_no_direction_count_as_nothing(value: float, evaluated: Any) -> None:
    def broken(context: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return torch.full((len(context), context.shape[2]), value)

    document = evaluated(Predictor("broken", broken), corpus_of([20] * 5, [20] * 5))
    assert any("are no direction" in warning for warning in document["warnings"])
    for split in document["splits"].values():
        assert split["cosine"]["value"] == split["A"]["margin"]["value"] == split["D"]["score"]["value"] == 0
        assert split["B"]["all"]["r5"]["value"] == 0
        assert split["B"]["all"]["mrr"]["value"] == pytest.approx(1 / 20)  # the target stands last
    assert document["gates"]["passed"] <= 1  # E, which asks for equal cosines, can't tell


@pytest.mark.parametrize("protocol", ["5cat", "5cat-2025"])
def test_what_is_no_direction_finds_nothing_in_short_articles_either(protocol: str, evaluated: Any) -> None:
    broken = Predictor("broken", lambda context, _: context[:, -1] * torch.nan)
    document = evaluated(broken, corpus_of([12] * 30, [12] * 30), profile="stage-a", protocol=protocol)
    assert [split["B"]["all"]["r5"]["value"] for split in document["splits"].values()] == [0, 0]
    assert document["gates"]["B"] is False
    assert not (document["causal"] or {"B": False})["B"]


def test_what_ranks_all_rows_alike_gets_what_chance_gives(evaluated: Any) -> None:
    corpus = corpus_of([7, 9, 12, 20] * 5, [12] * 20)
    corpus = Corpus(torch.nn.functional.pad(corpus.vectors, (0, 1)), corpus.starts, corpus.splits, corpus.info)
    nowhere = Predictor("nowhere", lambda context, _: torch.eye(context.shape[2])[-1].expand(len(context), -1))
    document = evaluated(nowhere, corpus)
    for split in document["splits"].values():
        for kind in ("all", "unseen"):
            for name in ("r1", "r5", "mrr"):
                chance = split["B"][kind][f"chance_{name}"]["value"]
                assert split["B"][kind][name]["value"] == pytest.approx(chance)
    assert document["causal"]["B"] is False


@pytest.mark.parametrize("scale", [1e-30, 1e-13, 1e25, 3e38])
def test_the_length_of_a_prediction_is_no_matter(scale: float, evaluated: Any) -> None:
    corpus = corpus_of([20] * 5, [20] * 5)
    plain = evaluated(Predictor("copy", lambda context, _: context[:, -1]), corpus, yardsticks=False)
    scaled = evaluated(Predictor("copy", lambda context, _: context[:, -1] * scale), corpus, yardsticks=False)
    for split in ("val", "ood"):
        assert scaled["splits"][split]["cosine"]["value"] == pytest.approx(plain["splits"][split]["cosine"]["value"])
    assert not any("no direction" in warning for warning in scaled["warnings"])


def test_a_limit_spreads_over_the_articles_but_for_the_protocol_that_takes_the_first(evaluated: Any) -> None:
    corpus = corpus_of([20] * 5, [20] * 5)
    document = evaluated("copy-last", corpus, max_windows=10)
    assert [(split["windows"], split["articles"]) for split in document["splits"].values()] == [(10, 5)] * 2
    old = evaluated("copy-last", corpus, max_windows=10, protocol="5cat-2025")
    assert [(split["windows"], split["articles"]) for split in old["splits"].values()] == [(10, 1)] * 2


def test_empty_bins_are_reported_as_empty(evaluated: Any) -> None:
    random = np.random.default_rng(0)
    topics = random.normal(size=(9, 1, 16)) * 5
    rows = (topics + random.normal(size=(9, 20, 16))).reshape(-1, 16)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    splits = torch.tensor([0, 1, 2] * 3, dtype=torch.uint8)
    corpus = Corpus(torch.from_numpy(rows.astype(np.float16)), torch.arange(10) * 20, splits, CorpusInfo(name="high"))
    document = evaluated("oracle", corpus, profile="strict")
    val = document["splits"]["val"]["E"]
    assert (val["low"]["windows"], val["normal"]["windows"], val["high"]["windows"]) == (0, 0, 45)
    assert val["normal"]["cosine"]["value"] is None
    assert (document["gates"]["E"], document["gates"]["why"]["E"]) == (
        None,
        "|normal VAL − OOD| –: needs ≤ 0.05; not measurable",
    )


@pytest.mark.parametrize("context", [2, 3, 8])
def test_another_context_length_is_measured_alike(context: int, evaluated: Any) -> None:
    corpus = corpus_of([20] * 5, [20] * 5)
    document = evaluated("oracle", corpus, context=context, profile="strict")
    val = document["splits"]["val"]
    assert list(val["A"]["offsets"]) == [f"{k:+d}" if k else "0" for k in range(1 - context, 4)]
    assert val["windows"] == 5 * (20 - context)
    assert val["A"]["offsets"]["+1"]["value"] == pytest.approx(1, abs=1e-6)
    assert val["D"]["score"]["value"] == pytest.approx(1, abs=1e-6)
    assert val["B"]["unseen"]["chance_r1"]["value"] == pytest.approx(1 / (20 - context))
    mean = evaluated("context-mean", corpus, context=context)["splits"]["val"]
    assert abs(mean["C"]["shuffle"]["value"]) < 1e-6
    assert mean["C"]["leave_one_out"]["value"] != 0
    assert abs(evaluated("copy-last", corpus, context=context)["splits"]["val"]["C"]["repeat"]["value"]) < 1e-6


def test_a_gate_on_an_offset_that_a_short_context_lacks_is_not_measurable(
    evaluated: Any, registry: Registry, catalogue: Catalogue, tmp_path: Any
) -> None:
    from lvmcore.variants.catalogue import default_files, load_catalogue

    file = tmp_path / "gates.toml"
    file.write_text('[gates.far]\nA."offsets.-4" = { val = "<= 0.9" }\n')
    own = load_catalogue([*default_files(), file])
    corpus = corpus_of([20] * 5, [20] * 5)
    for context, outcome in ((5, True), (3, None)):
        predictor = yardstick("context-mean", corpus, registry, context)
        document = evaluate(predictor, corpus, registry, own, Settings(profile="far", context=context)).document
        assert document["gates"]["A"] is outcome


def test_a_model_that_breaks_at_spoilt_contexts_alone_gains_nothing_by_it(evaluated: Any) -> None:
    corpus = corpus_of([20] * 5, [20] * 5)
    windows = (corpus.windows(split) for split in ("val", "ood"))
    known = {context.numpy().tobytes() for held in windows for context in held.take(torch.arange(len(held))).context}

    def natural(context: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        asked = torch.tensor([one.numpy().tobytes() in known for one in context])
        return torch.where(asked[:, None], context.mean(1), torch.nan)

    document = evaluated(Predictor("natural", natural), corpus, yardsticks=False)
    for split in document["splits"].values():
        assert split["cosine"]["value"] > 0.2
        assert split["A"]["direction"]["value"] is None
        assert [split["C"][name]["value"] for name in ("shuffle", "reverse", "repeat")] == [None] * 3
    assert document["gates"]["C"] is None
    assert any("natural gave" in warning and "no direction" in warning for warning in document["warnings"])


def test_one_answer_to_every_context_is_named(evaluated: Any) -> None:
    corpus = corpus_of([20] * 5, [20] * 5)
    assert (
        "constant answers the same on val whatever the context"
        in evaluated(Predictor("constant", constant), corpus, yardsticks=False)["warnings"]
    )
    others = evaluated("context-mean", corpus)["warnings"]
    assert not any("whatever the context" in warning for warning in others)


def test_a_figure_of_one_article_has_no_interval_and_one_of_few_is_named(evaluated: Any) -> None:
    group = np.repeat(np.arange(25), 4)
    column = np.full(100, np.nan)
    column[:2] = (-0.2, -0.1)
    figure = Statistics({"x": column, "all": np.arange(100.0)}, group, resamples=100).figure("x")
    assert (figure.value, figure.low, figure.high) == (pytest.approx(-0.15), None, None)
    document = evaluated("context-mean", corpus_of([20] * 25, [20] * 25))
    for split, held in document["splits"].items():
        few = [name for name in ("low", "normal", "high") if 0 < held["E"][name]["windows"] < 20]
        said = [warning for warning in document["warnings"] if warning.startswith(f"{split}: bins of E")]
        assert len(said) <= 1
        assert all(f"{name} " in said[0] for name in few)


def test_articles_too_short_for_any_window_are_counted_as_skipped(evaluated: Any) -> None:
    document = evaluated("copy-last", corpus_of([20, 5, 3, 6], [20, 9]))
    val = document["splits"]["val"]["B"]
    assert (val["all"]["skipped_articles"], val["unseen"]["skipped_articles"]) == (2, 3)


def test_the_old_protocol_counts_the_windows_that_a_test_could_measure(evaluated: Any) -> None:
    corpus = corpus_of([12] * 8, [12] * 8)  # 7 windows an article, of which A can measure 4 and D 2
    document = evaluated("context-mean", corpus, max_windows=10, protocol="5cat-2025")
    whole = evaluated("context-mean", corpus, protocol="5cat-2025")
    for split, held in document["splits"].items():
        counted = {letter: held[letter]["windows"] for letter in "ACD"} | {"B": held["B"]["all"]["windows"]}
        assert counted == dict.fromkeys("ABCD", 10)
        assert sum(held["E"][name]["windows"] for name in ("low", "normal", "high")) == 10
        assert held["windows"] == 10
        assert whole["splits"][split]["D"]["windows"] == 16
