"""Yardsticks: each against its definition."""

from __future__ import annotations

import numpy as np
import torch
from conftest import MakeCorpus

from lvmcore.data.corpus import Corpus
from lvmcore.evaluation.predictors import yardstick, yardsticks
from lvmcore.registry import Registry


def rows_of(corpus: Corpus, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    windows = corpus.windows(split)
    batch = windows.take(torch.arange(len(windows)))
    return batch.context, batch.target


def test_copy_last_and_context_mean_are_what_they_say(corpus: Corpus, registry: Registry) -> None:
    context, target = rows_of(corpus, "val")
    assert torch.equal(yardstick("copy-last", corpus, registry).predict(context, target), context[:, -1])
    torch.testing.assert_close(
        yardstick("context-mean", corpus, registry).predict(context, target), sum(context.unbind(1)) / 5
    )


def test_the_filter_is_the_least_squares_solution_on_train(corpus: Corpus, registry: Registry) -> None:
    context, target = (x.double().numpy() for x in rows_of(corpus, "train"))
    train = (corpus.splits == 0).repeat_interleave(corpus.starts.diff())
    mean = corpus.rows(train.nonzero().squeeze(1)).double().numpy().mean(0)
    features = np.concatenate([context, np.broadcast_to(mean, (len(context), 1, corpus.dim))], 1)
    solution = np.linalg.lstsq(features.transpose(0, 2, 1).reshape(-1, 6), target.reshape(-1), rcond=None)[0]
    held, _ = rows_of(corpus, "val")
    expected = np.einsum("bcd,c->bd", held.double().numpy(), solution[:5]) + solution[5] * mean
    found = yardstick("filter", corpus, registry).predict(held, held[:, 0])
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_ridge_beats_every_other_strength_it_could_have_taken_on_the_held_out_articles(
    make_corpus: MakeCorpus, registry: Registry
) -> None:
    corpus = Corpus.open(make_corpus(articles=60, rows=30))
    context, target = rows_of(corpus, "train")
    found = yardstick("ridge", corpus, registry).predict(context, target)
    x = np.concatenate([context.double().flatten(1).numpy(), np.ones((len(context), 1))], 1)
    y = target.double().numpy()
    gram, right = x.T @ x, x.T @ y
    answers = []
    for strength in (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0):
        penalty = np.full(len(gram), strength * gram.diagonal()[:-1].mean())
        penalty[-1] = 0
        answers.append(x @ np.linalg.solve(gram + np.diag(penalty), right))
    distances = [np.abs(found.numpy() - answer).max() for answer in answers]
    assert min(distances) < 1e-4  # it is one of the closed-form solutions, and the one that generalises:
    held, truth = rows_of(corpus, "val")
    own = torch.cosine_similarity(yardstick("ridge", corpus, registry).predict(held, truth), truth).mean()
    assert own > torch.cosine_similarity(held[:, -1], truth).mean() - 0.05


def test_random_is_drawn_by_what_the_context_holds(corpus: Corpus, registry: Registry) -> None:
    context, target = rows_of(corpus, "train")
    draw = yardstick("random", corpus, registry).predict
    found = draw(context, target)
    order = torch.randperm(len(context), generator=torch.Generator().manual_seed(0))
    assert torch.equal(draw(context[order], target[order]), found[order])
    assert not torch.isclose(draw(context.flip(1), target), found).all(-1).any()
    assert abs(float(found.mean())) < 0.05
    assert 0.9 < float(found.std()) < 1.1
    assert abs(float(torch.cosine_similarity(found[1:], found[:-1]).mean())) < 0.1


def test_only_the_oracle_sees_the_target(corpus: Corpus, registry: Registry) -> None:
    names = [found.name for found in yardsticks(registry)]
    assert len(names) >= 6
    assert [name for name in names if yardstick(name, corpus, registry).sees_target] == ["oracle"]
