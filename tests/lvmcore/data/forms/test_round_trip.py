"""What one imports, one can export, and import again to the same digest."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from bringing import bring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvmcore.corpora import Corpora
from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.forms.doors import WRITTEN
from lvmcore.data.store.writing import save_corpus
from lvmcore.errors import LvmError
from lvmcore.plain import clean, clean_title
from lvmcore.registry import Registry

FORMS = {name: suffix for name, (suffix, _) in WRITTEN.items()}

names = st.text(st.characters(codec="utf-8"), max_size=8)


def lab(notes: list[str] | None = None) -> Corpora:
    return Corpora(cast(Registry, None), (notes if notes is not None else []).append)


@st.composite
def corpora(draw: st.DrawFn, least: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, CorpusInfo, list[str] | None]:
    """Vectors, starts, splits, what is known, and texts."""
    lengths = draw(st.lists(st.integers(least, 9), min_size=1, max_size=6).filter(any))
    rows, dim = sum(lengths), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    few = random.integers(1, 3, size=(rows, dim)) if draw(st.booleans()) else random.normal(size=(rows, dim)) + 3
    vectors = few.astype(draw(st.sampled_from([np.float16, np.float32])))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    splits = np.array(draw(st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths))))
    named = st.lists(names, min_size=len(lengths), max_size=len(lengths))
    info = CorpusInfo(
        name="n",
        encoder=draw(st.sampled_from(["unknown", "minilm"])),
        licence="CC0",
        titles=tuple(draw(st.one_of(st.just([]), named))),
        sources=tuple(draw(st.one_of(st.just([]), named))),
    )
    return vectors, starts, splits, info, draw(st.one_of(st.none(), st.lists(names, min_size=rows, max_size=rows)))


@pytest.mark.parametrize("form", FORMS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much])
@given(data=st.data())
def test_what_is_exported_is_imported_again_to_the_same_digest(tmp_path: Path, form: str, data: st.DataObject) -> None:
    context = data.draw(st.integers(1, 3))
    vectors, starts, splits, info, texts = data.draw(corpora(context + 1 if form == "sequences" else 0))
    there = np.diff(starts) > 0  # no form holds an article without rows
    save_corpus(tmp_path / "c.safetensors", vectors, starts, splits, info, texts)
    notes: list[str] = []
    file = tmp_path / f"out{FORMS[form]}"
    lab(notes).export(tmp_path / "c.safetensors", file, form, context=context, force=True)
    again, _ = bring(file, tmp_path / "again.safetensors", force=True)

    whole = Corpus.open(tmp_path / "c.safetensors")
    if there.all():
        assert again.digest == whole.digest
    else:
        assert "without rows were left out" in notes[0]
    np.testing.assert_array_equal(again.vectors.numpy(), vectors)
    assert again.splits.tolist() == splits[there].tolist()
    assert again.info.titles == tuple(clean_title(title) for title, has in zip(info.titles, there, strict=False) if has)
    assert len(again.info.sources) == (there.sum() if info.sources else 0)
    if form != "lines":
        assert (again.info.encoder, again.info.licence) == (info.encoder, info.licence)
    if form == "sequences":
        assert again.texts is None
    elif texts is not None:
        assert again.texts is not None
        assert list(again.texts) == [_cleaned(text, form) for text in texts]


def _cleaned(text: str, form: str = "") -> str:
    return clean(text.rstrip("\0") if form == "articles" else text)


def test_the_same_corpus_gives_the_same_file(small: Path, tmp_path: Path) -> None:
    for form, suffix in FORMS.items():
        first, second = (tmp_path / f"{name}-{form}{suffix}" for name in ("first", "second"))
        lab().export(small, first, form)
        lab().export(small, second, form)
        assert first.read_bytes() == second.read_bytes(), form


def test_other_tools_read_what_is_exported(corpus: Corpus, tmp_path: Path) -> None:
    lab().export(corpus, tmp_path / "a.npz")
    lab().export(corpus, tmp_path / "s.npz", "sequences")
    with np.load(tmp_path / "a.npz") as held:
        assert {"vectors", "article_indices", "chunk_indices", "splits"} <= set(held.files)
        np.testing.assert_array_equal(held["vectors"], corpus.vectors.numpy())
        np.testing.assert_array_equal(held["article_indices"], np.repeat(np.arange(12), 12))
    with np.load(tmp_path / "s.npz") as held:
        contexts, targets, articles = held["context_sequences"], held["target_vectors"], held["article_ids"]
        expected = [
            (corpus.vectors[row - 5 : row].numpy(), corpus.vectors[row].numpy(), article)
            for article, (begin, end) in enumerate(zip(corpus.starts[:-1], corpus.starts[1:], strict=True))
            for row in range(int(begin) + 5, int(end))
        ]
        for window, (context, target, article) in enumerate(expected):
            np.testing.assert_array_equal(contexts[window], context)
            np.testing.assert_array_equal(targets[window], target)
            assert articles[window] == article
        assert len(expected) == len(contexts)


def test_pandas_and_datasets_read_the_parquet_file(corpus: Corpus, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    lab().export(corpus, tmp_path / "c.parquet")
    table = pq.read_table(tmp_path / "c.parquet")
    assert table.column("split").to_pylist()[::12] == ["train", "train", "val", "train", "train", "ood"] * 2
    np.testing.assert_array_equal(np.array(table.column("vector").to_pylist()), corpus.vectors.float().numpy())


@pytest.mark.parametrize(
    ("name", "form", "said"),
    [
        ("out.xyz", None, "does not say in which form"),
        ("out.npz", "parket", "did you mean 'parquet'"),
        ("out.npz", "parquet", "ends in .parquet"),
        ("small.npz", "lines", "ends in .npy"),
    ],
)
def test_a_form_that_is_none_is_named(name: str, form: str | None, said: str, small: Path, tmp_path: Path) -> None:
    with pytest.raises(LvmError, match=said):
        lab().export(small, tmp_path / name, form)
    assert not (tmp_path / name).exists()


def test_nothing_is_overwritten_unasked(small: Path, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("mine")
    with pytest.raises(LvmError, match="exists already"):
        lab().export(small, tmp_path / "out.npy")
    assert (tmp_path / "out.jsonl").read_text() == "mine"
    assert not (tmp_path / "out.npy").exists()


def test_articles_too_short_for_a_window_are_left_out_of_windows_and_it_is_said(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(11, 4)).astype(np.float32)
    save_corpus(tmp_path / "c.safetensors", vectors, np.array([0, 3, 11]), np.array([0, 1]), CorpusInfo(name="c"))
    notes: list[str] = []
    lab(notes).export(tmp_path / "c.safetensors", tmp_path / "s.npz", "sequences")
    assert notes == ["1 articles of fewer than 6 chunks have no window, and were left out"]
    again, _ = bring(tmp_path / "s.npz", tmp_path / "again.safetensors")
    np.testing.assert_array_equal(again.vectors.numpy(), vectors[3:])
    assert again.splits.tolist() == [1]
    with pytest.raises(LvmError, match="no article has a window: the longest holds 8"):
        lab().export(tmp_path / "c.safetensors", tmp_path / "t.npz", "sequences", context=8)
    assert not (tmp_path / "t.npz").exists()


def test_texts_too_wide_for_an_array_are_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lvmcore.data.forms.articles.MOST_TEXT", 1000)
    vectors, texts = np.ones((3, 2), np.float32), ["a", "b" * 100, "c"]
    save_corpus(tmp_path / "c.safetensors", vectors, np.array([0, 3]), np.array([0]), CorpusInfo(name="c"), texts)
    with pytest.raises(LvmError, match="the longest text has 100 characters") as caught:
        lab().export(tmp_path / "c.safetensors", tmp_path / "c.npz")
    assert "--no-texts" in (caught.value.fix or "")
    assert not (tmp_path / "c.npz").exists()
    lab().export(tmp_path / "c.safetensors", tmp_path / "c.npz", texts=False)
