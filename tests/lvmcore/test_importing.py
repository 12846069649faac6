"""NPZ files of older tools, read without unpickling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lvmcore.corpus import Corpus
from lvmcore.errors import LvmError
from lvmcore.importing import import_npz

ABOUT = {"name": "n", "encoder": "e", "licence": "l", "source": "s"}


def arrays(**changed: Any) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    held = {
        "vectors": random.normal(size=(24, 4)).astype(np.float16),
        "article_indices": np.repeat([3, 5, 9], 8),
        "chunk_indices": np.tile(np.arange(8), 3),
        "splits": np.array([0, 1, 2], np.uint8),
        "titles": np.array(["a", "b", "c"]),
    }
    return {key: value for key, value in {**held, **changed}.items() if value is not None}


def imported(tmp_path: Path, **changed: Any) -> tuple[Corpus, list[str]]:
    np.savez(tmp_path / "in.npz", **arrays(**changed))
    notes = import_npz(tmp_path / "in.npz", tmp_path / "out.safetensors", ABOUT)
    return Corpus.open(tmp_path / "out.safetensors"), notes


def test_an_npz_file_becomes_the_same_corpus(tmp_path: Path) -> None:
    corpus, notes = imported(tmp_path)
    np.testing.assert_array_equal(corpus.vectors.numpy(), arrays()["vectors"])
    assert corpus.starts.tolist() == [0, 8, 16, 24]
    assert corpus.splits.tolist() == [0, 1, 2]
    assert corpus.info.titles == ("a", "b", "c")
    assert notes == []


def test_rows_out_of_order_are_sorted_and_it_is_said(tmp_path: Path) -> None:
    held = arrays()
    order = np.random.default_rng(1).permutation(24)
    changed = {key: held[key][order] for key in ("vectors", "article_indices", "chunk_indices")}
    corpus, notes = imported(tmp_path, **changed)
    np.testing.assert_array_equal(corpus.vectors.numpy(), held["vectors"])
    assert "sorted" in notes[0]


def test_without_splits_they_are_drawn_by_article(tmp_path: Path) -> None:
    corpus, notes = imported(tmp_path, splits=None)
    assert sorted(corpus.splits.tolist()) == [0, 1, 2]
    assert "no splits" in notes[0]


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    titles = np.array([Bomb(tmp_path / "exploded")] * 3, dtype=object)
    with pytest.raises(LvmError, match="pickled objects"):
        imported(tmp_path, titles=titles)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"vectors": None}, "lacks vectors"),
        ({"article_indices": None}, "lacks article_indices"),
        ({"splits": np.zeros(4, np.uint8)}, "'splits' holds 4 entries for 3 articles"),
        ({"titles": np.array(["a"])}, "'titles' holds 1 entries"),
        ({"article_indices": np.zeros(5)}, "has shape"),
        ({"vectors": np.ones((24, 4), np.int64)}, "vectors are int64"),
        ({"vectors": np.full((24, 4), np.nan, np.float32)}, "not finite"),
        ({"vectors": np.zeros((24, 4), np.float32)}, "is zero"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_and_nothing_is_written(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(LvmError, match=said):
        imported(tmp_path, **changed)
    assert not (tmp_path / "out.safetensors").exists()


def test_an_existing_corpus_is_not_overwritten_unasked(tmp_path: Path) -> None:
    imported(tmp_path)
    with pytest.raises(LvmError, match="exists already") as caught:
        imported(tmp_path)
    assert "--force" in (caught.value.fix or "")


def test_a_file_that_is_no_npz_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.npz").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(LvmError, match="no NPZ"):
        import_npz(tmp_path / "in.npz", tmp_path / "out.safetensors", ABOUT)
