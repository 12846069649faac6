"""Corpora made again of expanded windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bringing import bring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvmcore.errors import LvmError


def expanded(articles: list[np.ndarray], context: int = 5, keep: Any = lambda article, row: True) -> dict[str, Any]:
    """The windows of articles, by a plain loop."""
    contexts, targets, ids, indices = [], [], [], []
    for number, rows in enumerate(articles):
        for row in range(context, len(rows)):
            if keep(number, row):
                contexts.append(rows[row - context : row])
                targets.append(rows[row])
                ids.append(number)
                indices.append(row)
    return {
        "context_sequences": np.array(contexts),
        "target_vectors": np.array(targets),
        "article_ids": np.array(ids),
        "target_indices": np.array(indices),
    }


def articles(*lengths: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(length, 4)).astype(np.float32) for length in lengths]


def test_overlapping_windows_become_the_rows_that_they_were_made_of(tmp_path: Path) -> None:
    held = articles(9, 7, 12)
    np.savez(tmp_path / "s.npz", **expanded(held), splits=[0, 2, 1], titles=["a", "b", "c"])
    corpus, notes = bring(tmp_path / "s.npz", tmp_path / "c.safetensors")
    np.testing.assert_array_equal(corpus.vectors.numpy(), np.concatenate(held))
    assert corpus.starts.tolist() == [0, 9, 16, 28]
    assert corpus.splits.tolist() == [0, 2, 1]
    assert corpus.info.titles == ("a", "b", "c")
    assert notes == ["13 windows of 5 rows of context were put together to 28 rows in 3 articles"]


@pytest.mark.parametrize(("contexts", "targets"), [("contexts", "targets"), ("X", "y"), ("context_sequences", "y")])
def test_every_name_of_the_arrays_is_known(contexts: str, targets: str, tmp_path: Path) -> None:
    held = expanded(articles(9))
    np.savez(
        tmp_path / "s.npz",
        **{contexts: held["context_sequences"], targets: held["target_vectors"]},
        article_ids=[4] * 4,
    )
    assert len(bring(tmp_path / "s.npz", tmp_path / "c.safetensors")[0]) == 9


@pytest.mark.parametrize("missing", [("target_indices",), ("article_ids",), ("target_indices", "article_ids")])
def test_without_numbers_the_rows_say_which_windows_belong_together(missing: tuple[str, ...], tmp_path: Path) -> None:
    held = articles(9, 7, 12)
    arrays = {key: array for key, array in expanded(held).items() if key not in missing}
    np.savez(tmp_path / "s.npz", **arrays)
    corpus, notes = bring(tmp_path / "s.npz", tmp_path / "c.safetensors")
    np.testing.assert_array_equal(corpus.vectors.numpy(), np.concatenate(held))
    assert corpus.starts.tolist() == [0, 9, 16, 28]
    assert any("nothing says which article" in note for note in notes) is ("article_ids" in missing)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_windows_in_any_order_give_every_row_that_they_tell_of_once(tmp_path: Path, data: st.DataObject) -> None:
    context = data.draw(st.integers(1, 4))
    lengths = data.draw(st.lists(st.integers(context + 1, 12), min_size=1, max_size=3))
    held = articles(*lengths)
    windows = [(number, row) for number, rows in enumerate(held) for row in range(context, len(rows))]
    kept = data.draw(st.sets(st.sampled_from(windows), min_size=1))
    arrays = expanded(held, context, lambda number, row: (number, row) in kept)
    order = data.draw(st.permutations(range(len(kept))))
    twice = [*order, *data.draw(st.lists(st.sampled_from(order), max_size=3))]
    np.savez(tmp_path / "s.npz", **{key: array[twice] for key, array in arrays.items()})
    corpus, _ = bring(tmp_path / "s.npz", tmp_path / "c.safetensors", force=True)

    pieces: list[list[np.ndarray]] = []  # by a plain loop: runs of rows that some window holds
    for number, rows in enumerate(held):
        told = {row - back for n, row in kept if n == number for back in range(context + 1)}
        for row in range(len(rows)):
            if row in told:
                if row - 1 not in told:
                    pieces.append([])
                pieces[-1].append(rows[row])
    np.testing.assert_array_equal(corpus.vectors.numpy(), np.concatenate(pieces))
    assert corpus.starts.diff().tolist() == [len(piece) for piece in pieces]


def test_rows_that_are_missing_cut_an_article_and_it_is_said(tmp_path: Path) -> None:
    held = articles(20)
    np.savez(tmp_path / "s.npz", **expanded(held, keep=lambda _, row: row <= 8 or row >= 15), splits=[1], titles=["a"])
    corpus, notes = bring(tmp_path / "s.npz", tmp_path / "c.safetensors")
    assert corpus.starts.tolist() == [0, 9, 19]
    np.testing.assert_array_equal(corpus.vectors.numpy(), np.concatenate([held[0][:9], held[0][10:]]))
    assert corpus.splits.tolist() == [1, 1]
    assert corpus.info.titles == ("a", "a (2)")
    assert "articles were cut at 1 places where rows are missing" in notes


def test_windows_that_contradict_each_other_cut_an_article_and_it_is_said(tmp_path: Path) -> None:
    arrays = expanded(articles(12))
    arrays["context_sequences"][3, 2] += 1  # of row 8, whose other windows say otherwise
    np.savez(tmp_path / "s.npz", **arrays)
    corpus, notes = bring(tmp_path / "s.npz", tmp_path / "c.safetensors")
    assert corpus.starts.tolist() == [0, 8, 14, 22]
    assert any("articles were cut at 2 places where windows share no row, or contradict" in note for note in notes)


def test_large_files_are_put_together_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = articles(40, 33, 7)
    np.savez(tmp_path / "s.npz", **expanded(held))
    monkeypatch.setattr("lvmcore.data.forms.sequences.BLOCK", 300)  # three windows
    monkeypatch.setattr("lvmcore.data.forms.archive.IN_MEMORY", 100)
    corpus, _ = bring(tmp_path / "s.npz", tmp_path / "c.safetensors")
    np.testing.assert_array_equal(corpus.vectors.numpy(), np.concatenate(held))


def test_numbers_of_any_width_are_read(tmp_path: Path) -> None:
    held = articles(9, 7)
    arrays = expanded(held)
    arrays["article_ids"] = arrays["article_ids"].astype(np.uint64) + np.uint64(2**64 - 9)
    arrays["target_indices"] = arrays["target_indices"].astype(np.uint64) + np.uint64(2**64 - 20)
    np.savez(tmp_path / "s.npz", **arrays)
    corpus, _ = bring(tmp_path / "s.npz", tmp_path / "c.safetensors")
    np.testing.assert_array_equal(corpus.vectors.numpy(), np.concatenate(held))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"target_vectors": None}, "lacks targets"),
        ({"target_vectors": np.ones((3, 4))}, "targets float64 \\(3, 4\\)"),
        ({"context_sequences": np.ones((4, 5, 4), int)}, "contexts are int64"),
        ({"article_ids": np.arange(3)}, "'article_ids' is int64 \\(3,\\) for 4 windows"),
        ({"target_indices": np.ones(4)}, "'target_indices' is float64"),
        ({"splits": np.zeros((2, 2), int)}, "'splits' holds 4 entries for 1 articles"),
    ],
)
def test_what_is_wrong_with_windows_is_said(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    arrays = {**expanded(articles(9)), **changed}
    np.savez(tmp_path / "s.npz", **{key: array for key, array in arrays.items() if array is not None})
    with pytest.raises(LvmError, match=said):
        bring(tmp_path / "s.npz", tmp_path / "c.safetensors")
    assert not (tmp_path / "c.safetensors").exists()
