"""The nearest rows of a corpus, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.prediction import search


@pytest.fixture
def corpus() -> Corpus:
    rows = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float16)
    rows[31] = rows[7]  # alike
    splits = torch.zeros(5, dtype=torch.uint8)
    return Corpus(torch.from_numpy(rows), torch.arange(6) * 10, splits, CorpusInfo(name="few"))


def plain(corpus: Corpus, query: torch.Tensor, count: int, without: set[int]) -> list[int]:
    """Rows by falling cosine, in float64; the earlier first."""
    rows = corpus.vectors.double().numpy()
    cosine = {i: float(row @ query.double().numpy() / np.linalg.norm(row)) for i, row in enumerate(rows)}
    return sorted((i for i in cosine if i not in without), key=lambda i: (-round(cosine[i], 9), i))[:count]


@pytest.mark.parametrize("block", [1, 7, 50, 1000])
def test_they_are_the_nearest_in_blocks_of_any_size(
    corpus: Corpus, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BLOCK", block)
    queries = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.Generator().manual_seed(1)), dim=-1)
    queries[0] = corpus.rows(torch.tensor([7]))[0]
    for without in (None, torch.tensor([7, 3])):
        left_out = set() if without is None else set(without.tolist())
        cosines, rows = search.nearest(corpus, queries, 4, without)
        assert rows.tolist() == [plain(corpus, query, 4, left_out) for query in queries]
        expected = torch.stack([corpus.rows(found) @ query for found, query in zip(rows, queries, strict=True)])
        torch.testing.assert_close(cosines, expected)


def test_no_more_rows_are_given_than_there_are(corpus: Corpus) -> None:
    _, rows = search.nearest(corpus, corpus.rows(torch.tensor([0])), 99, torch.arange(40))
    assert sorted(rows[0].tolist()) == list(range(40, 50))
