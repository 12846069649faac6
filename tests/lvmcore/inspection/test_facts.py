"""What a corpus holds, its copies and its samples, each against a plain loop."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.windows import SPLITS
from lvmcore.inspection.duplicates import Copies, exact, near
from lvmcore.inspection.facts import Spread, neighbours, norms, splits_of
from lvmcore.inspection.sample import drawn, portion, turned

LENGTHS = [3, 9, 1, 14, 7, 6]
SPLIT = [0, 0, 1, 0, 1, 2]


@pytest.fixture
def mixed() -> Corpus:
    """Articles of several lengths, rows at any norm, with copies within and across articles and splits."""
    generator = torch.Generator().manual_seed(4)
    rows = torch.randn(sum(LENGTHS), 8, generator=generator) * torch.arange(1, sum(LENGTHS) + 1)[:, None]
    rows[5] = rows[4]  # in one article
    rows[15] = rows[0]  # in another of its split
    rows[28] = rows[20]  # in another split
    rows[36] = rows[20] + 1e-3 * rows[20].norm() * torch.randn(8, generator=generator)  # nearly, in a third split
    starts = torch.tensor([0, *LENGTHS]).cumsum(0)
    return Corpus(rows, starts, torch.tensor(SPLIT, dtype=torch.uint8), CorpusInfo(name="mixed"))


def unit(corpus: Corpus) -> np.ndarray:
    rows = corpus.vectors.double().numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def articles_of(corpus: Corpus) -> list[int]:
    return [article for article, length in enumerate(corpus.starts.diff().tolist()) for _ in range(length)]


def test_splits_are_counted(mixed: Corpus) -> None:
    found = splits_of(mixed, 5)
    assert [(one.articles, one.chunks, one.windows) for one in found.values()] == [(3, 26, 13), (2, 8, 2), (1, 6, 1)]
    lengths = found["train"].lengths
    assert lengths is not None
    assert (lengths.least, lengths.quantiles["0.5"], lengths.greatest) == (3, 9, 14)


def test_norms_are_those_of_the_stored_rows(mixed: Corpus) -> None:
    found, plain = norms(mixed), np.linalg.norm(mixed.vectors.double().numpy(), axis=1)
    assert found is not None
    assert (found.count, found.mean) == (len(mixed), pytest.approx(plain.mean(), rel=1e-5))
    assert Spread.of(np.zeros(0)) is None


def test_neighbours_and_lags_are_those_of_a_plain_loop(mixed: Corpus) -> None:
    found, rows, articles = neighbours(mixed, 5, 20, 0), unit(mixed), articles_of(mixed)
    for lag, estimate in enumerate(found.lags, 1):
        plain = [rows[t] @ rows[t - lag] for t in range(lag, len(rows)) if articles[t] == articles[t - lag]]
        assert estimate.value == pytest.approx(np.mean(plain), abs=1e-6)
        if lag == 1:
            assert found.coherence is not None
            assert found.coherence.quantiles["0.5"] == pytest.approx(np.median(plain), abs=1e-6)
    starts = mixed.starts.tolist()
    distinct = [1 - rows[t] @ rows[t - 1] for a, b in pairwise(starts) for t in range(a + 5, b)]
    assert found.distinctness is not None
    assert found.distinctness.count == len(distinct) == 16
    assert found.distinctness.mean == pytest.approx(np.mean(distinct), abs=1e-6)
    assert sum(found.histogram["shares"]) == pytest.approx(1)


def plain_copies(corpus: Corpus, alike: np.ndarray) -> dict[str, Copies]:
    articles = articles_of(corpus)
    splits = [int(corpus.splits[article]) for article in articles]
    counts = {name: [0, 0, 0, 0] for name in SPLITS}
    for i in range(len(corpus)):
        others = [j for j in range(len(corpus)) if j != i and alike[i, j]]
        kinds = {0 if articles[i] == articles[j] else 1 if splits[i] == splits[j] else 2 for j in others}
        held = counts[SPLITS[splits[i]]]
        held[0] += 1
        for kind in kinds:
            held[1 + kind] += 1
    return {name: Copies(*held) for name, held in counts.items()}


def test_copies_are_found_where_a_plain_loop_finds_them(mixed: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = unit(mixed)
    halves = rows.astype(np.float16)
    assert exact(mixed) == plain_copies(mixed, (halves[:, None] == halves[None]).all(-1))
    assert exact(mixed)["val"] == Copies(8, 0, 0, 1)
    for block in (5, 4096):
        monkeypatch.setattr("lvmcore.inspection.duplicates._BLOCK", block)
        assert near(mixed, 0.95) == plain_copies(mixed, rows @ rows.T >= 0.95)
    assert near(mixed, 0.95)["ood"].across == 1


def test_a_sample_keeps_to_its_bound_and_to_whole_runs(mixed: Corpus) -> None:
    for seed in range(20):
        runs = drawn(mixed, {"train": 6, "val": 100}, context=5, seed=seed)
        part = runs.of(mixed)
        assert len(part.windows("train")) <= 6
        assert len(part.windows("val")) == 2
        torch.testing.assert_close(part.rows(torch.arange(len(part))), mixed.rows(runs.rows))
        for article, begin, length in zip(runs.articles, runs.begins, runs.lengths, strict=True):
            assert mixed.starts[article] <= begin < begin + length <= mixed.starts[article + 1]
    assert any(len(drawn(mixed, {"train": 6}, context=5, seed=seed).articles) for seed in range(20))


def test_all_is_taken_where_it_fits(mixed: Corpus) -> None:
    runs = drawn(mixed, {"train": 26, "val": 8, "ood": 6})
    assert torch.equal(runs.rows, torch.arange(len(mixed)))
    assert torch.equal(runs.of(mixed).starts, mixed.starts)


def test_one_long_article_is_cut(mixed: Corpus) -> None:
    runs = drawn(mixed, {"train": 4}, context=5)
    assert int((runs.lengths - 5).sum()) in range(1, 5)


def test_turned_articles_run_backwards(mixed: Corpus) -> None:
    found = turned(mixed)
    for start, end in zip(mixed.starts[:-1].tolist(), mixed.starts[1:].tolist(), strict=True):
        assert torch.equal(found.vectors[start:end], mixed.vectors[start:end].flip(0))
    torch.testing.assert_close(
        found.rows(torch.arange(len(found))).norm(dim=1), torch.ones(len(found)), rtol=1e-5, atol=0
    )


def test_a_portion_holds_the_articles_asked_for(mixed: Corpus) -> None:
    found = portion(mixed, torch.tensor([3, 1]))
    assert found.starts.tolist() == [0, 9, 23]
    assert torch.equal(found.vectors, torch.cat([mixed.vectors[3:12], mixed.vectors[13:27]]))
