"""The planted world: it feels like text, holds the signal it says, and is the same wherever it is drawn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lvm_corpora.world import World
from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.errors import LvmError
from lvmcore.evaluation.predictors import yardstick, yardsticks
from lvmcore.registry import Registry

SMALL = {"articles": 20, "length": 12, "dim": 48, "latent": 8}


def rows_of(corpus: Corpus, split: int) -> Tensor:
    """(A, L, D) of the articles of a split."""
    return corpus.rows(torch.arange(len(corpus))).view(len(corpus.splits), -1, corpus.dim)[corpus.splits == split]


def coherence(rows: Tensor) -> float:
    return float((rows[:, 1:] * rows[:, :-1]).sum(-1).mean())


def cosine_of(predict: object, corpus: Corpus, split: str = "val") -> float:
    windows = corpus.windows(split)
    batch = windows.take(torch.arange(len(windows)))
    assert callable(predict)
    return float(torch.cosine_similarity(predict(batch.context), batch.target).mean())


@pytest.mark.parametrize("seed", range(6))
def test_a_world_feels_like_text(seed: int) -> None:
    corpus = World(seed=seed).build()
    for split, least in ((0, 300), (1, 40), (2, 40)):
        rows = rows_of(corpus, split)
        assert len(rows) >= least
        assert 0.45 <= coherence(rows) <= 0.55
    mean = cosine_of(lambda context: context.mean(1), corpus)
    last = cosine_of(lambda context: context[:, -1], corpus)
    known = cosine_of(corpus.world.predictor(), corpus)
    assert last + 0.1 < mean < known - 0.2  # the average tempts, and there is something to know
    windows = corpus.windows("val").take(torch.arange(500))
    to_context = torch.cosine_similarity(windows.context.mean(1)[:, None], windows.context, dim=-1).mean()
    assert to_context > mean + 0.1  # and lies nearer to what was than to what comes


def test_less_signal_leaves_less_to_know() -> None:
    known = [
        cosine_of(World(signal=signal, **SMALL).predictor(), World(signal=signal, **SMALL).build())
        for signal in (0.0, 0.3, 0.6)
    ]
    assert known == sorted(known)
    assert known[2] > known[0] + 0.1


def test_a_seed_draws_the_same_world_again_and_another_seed_another() -> None:
    first, again, other = World(**SMALL).build(), World(**SMALL).build(), World(**SMALL, seed=1).build()
    assert first.digest == again.digest != other.digest


def test_a_reversed_world_holds_the_same_rows_from_last_to_first() -> None:
    straight, reverse = World(**SMALL).build(), World(**SMALL, reverse=True).build()
    assert torch.equal(
        straight.vectors.view(20, 12, 48).flip(1),
        reverse.vectors.view(20, 12, 48),
    )


def test_a_fold_holds_more_than_a_matrix_can_know(registry: Registry) -> None:
    corpus = World(fold=True, latent=24, dim=64, articles=200).build()
    ridge = yardstick("ridge", corpus, registry).predict
    known = cosine_of(corpus.world.predictor(), corpus)
    assert known > cosine_of(lambda rows: ridge(rows, rows), corpus) + 0.01


def test_a_world_says_its_expression() -> None:
    world = World(signal=0.3, seed=1, reverse=True)
    assert world.build().info.name == world.expression == "world,signal=0.3,reverse=true,seed=1"
    assert World().expression == "world"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("latent=40,dim=48", "do not fit in dim=48"),
        ("topic=0.9,signal=0.9", "leave nothing of 1"),
        ("topic=0,signal=0,noise=0", "are all 0"),
        ("articles=9", "articles"),
    ],
)
def test_a_world_that_cannot_be_is_named(registry: Registry, options: str, said: str) -> None:
    with pytest.raises(LvmError, match=said):
        open_corpus(f"world,{options}", registry)


def test_dynamics_is_built_for_a_world_alone(registry: Registry, corpus: Corpus) -> None:
    world = World(**SMALL).build()
    predictor = yardstick("dynamics", world, registry)
    batch = world.windows("val").take(torch.arange(5))
    torch.testing.assert_close(predictor.predict(batch.context, batch.target), world.world.predictor()(batch.context))
    with pytest.raises(LvmError, match="this corpus is none"):
        yardstick("dynamics", corpus, registry)


def test_dynamics_stands_beside_no_evaluation(registry: Registry) -> None:
    assert "dynamics" in {found.name for found in registry.all("predictor")}
    assert "dynamics" not in {found.name for found in yardsticks(registry)}
