"""What is held for a row of a corpus: nothing. Ten thousand million rows, all of them the same four bytes."""

from __future__ import annotations

import pytest
import torch

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.evaluation import content
from lvmcore.evaluation.content import ContentKeys
from lvmcore.evaluation.measurement import evaluation_windows
from lvmcore.evaluation.predictors import yardstick
from lvmcore.evaluation.protocols import protocol_of
from lvmcore.expression import parse_one
from lvmcore.registry import Registry
from lvmcore.training.stages import generator_of

ROWS, LENGTH = 10**10, 10**5


@pytest.fixture(scope="module")
def vast() -> Corpus:
    row = torch.tensor([[0.6, 0.8]], dtype=torch.float16)
    starts = torch.arange(0, ROWS + 1, LENGTH)
    splits = torch.tensor([1, *[0] * (len(starts) - 3), 2], dtype=torch.uint8)
    info = CorpusInfo(name="vast", digest="sha256:0")
    scales = (1 / row.float().norm(dim=1)).expand(ROWS)
    return Corpus(row.expand(ROWS, 2), starts, splits, info, scales=scales)


def test_windows_and_their_order_are_computed_where_they_are_asked_for(vast: Corpus, registry: Registry) -> None:
    windows = vast.windows("train")
    assert len(windows) == (ROWS // LENGTH - 2) * (LENGTH - 5)
    order = registry.make("sampler", parse_one("full")).build(windows)(1, generator_of(0, 1))
    assert len(order) == len(windows)
    batch = windows.take(order[len(order) - 64 :])
    assert batch.context.shape == (64, 5, 2)
    assert (batch.targets - vast.starts[batch.articles] >= 5).all()
    assert len(batch.articles.unique()) > 50
    future, there = batch.future(3)
    assert future.shape == (64, 3, 2)
    assert there.any()


@pytest.mark.parametrize("protocol", ["5cat", "5cat-2025"])
def test_an_evaluation_of_some_windows_looks_for_no_others(vast: Corpus, registry: Registry, protocol: str) -> None:
    named = protocol_of(protocol, registry)
    found = evaluation_windows(vast, ["train"], 5, 100, named.protocol)["train"]
    assert 100 <= len(found) < 200
    assert isinstance(found.targets, torch.Tensor)


def test_the_filter_is_fit_on_some_windows(vast: Corpus, registry: Registry) -> None:
    predict = yardstick("filter,windows=1000", vast, registry).predict
    context = vast.windows("val").take(torch.arange(3)).context
    torch.testing.assert_close(predict(context, context[:, 0]), context[:, 0])


def test_the_filter_on_some_windows_is_about_that_on_all(corpus: Corpus, registry: Registry) -> None:
    context = corpus.windows("val").take(torch.arange(8)).context
    every, some, none = (
        yardstick(f"filter,windows={count}", corpus, registry).predict(context, context[:, 0])
        for count in (10**6, len(corpus.windows("train")) // 2, 1)
    )
    few, one = ((every - other).norm() for other in (some, none))
    assert 0 < few < one


def test_rows_are_borrowed_from_a_pool_of_the_split(
    vast: Corpus, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "POOL", 12)
    keys = ContentKeys(corpus, "train")
    batch = corpus.windows("train").take(torch.arange(40))
    rows, there = keys.foreign(batch, keys.of(batch))
    assert there.all()
    assert len(rows.unique()) <= 12
    assert (corpus.article_of[rows] != batch.articles).all()
    assert (corpus.splits[corpus.article_of[rows]] == 0).all()
    batch = vast.windows("train").take(torch.arange(3))
    _, there = (keys := ContentKeys(vast, "train")).foreign(batch, keys.of(batch))
    assert there.all()  # all rows are the same one, which stands in other articles too
