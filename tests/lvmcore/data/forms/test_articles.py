"""NPZ files of older tools, read without unpickling."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bringing import bring
from conftest import Lvm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvmcore.data.corpus import Corpus
from lvmcore.data.description import wanting
from lvmcore.errors import LvmError

ABOUT = {"name": "n", "encoder": "e", "licence": "l", "source": "s"}


def import_npz(file: Path, target: Path, about: dict[str, str], **options: Any) -> list[str]:
    return bring(file, target, **about, **options)[1]


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
    assert "80/10/10" in notes[0]


def test_two_articles_without_splits_all_train_and_the_note_says_so(tmp_path: Path) -> None:
    corpus, notes = imported(
        tmp_path,
        splits=None,
        titles=None,
        article_indices=np.repeat([0, 1], 12),
        chunk_indices=np.tile(np.arange(12), 2),
    )
    assert corpus.splits.tolist() == [0, 0]
    assert "no article is in val" in notes


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    bombs = np.array([Bomb(tmp_path / "exploded")] * 3, dtype=object)
    pickle.loads(pickle.dumps(bombs))  # it would go off
    (tmp_path / "exploded").unlink()
    for key in arrays():
        with pytest.raises(LvmError, match="pickled objects") as caught:
            imported(tmp_path, **{key: bombs})
        assert caught.value.fix
        assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"vectors": None}, "lacks vectors"),
        ({"article_indices": None, "titles": None}, "nothing says which article a row is of"),
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


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("splits", np.array(["train", "val", "odd"]), "'splits' are not split numbers"),
        ("splits", np.array([256, 1, 2]), "'splits' are not split numbers"),
        ("splits", np.array([0.5, 1, 2]), "'splits' are not split numbers"),
        ("splits", np.array([3, 1, 2]), "'splits' are not split numbers"),
        ("splits", np.array(1), "'splits' holds 1 entries for 3 articles"),
        ("titles", np.array("x"), "'titles' holds 1 entries for 3 articles"),
        ("titles", np.array([["a", "b"]] * 3), "'titles' holds 6 entries for 3 articles"),
        ("vectors", np.array(1.0), "vectors are float64"),
        ("vectors", np.full((24, 4), 1e300), "not finite"),
        ("chunk_indices", np.arange(3), "'chunk' has shape"),
    ],
)
def test_arrays_of_another_form_are_named_and_never_bent_to_fit(
    key: str, value: np.ndarray, said: str, tmp_path: Path
) -> None:
    with pytest.raises(LvmError, match=said):
        imported(tmp_path, **{key: value})
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, ">f4", ">f2"])
def test_vectors_of_any_float_are_stored_as_float16_or_float32(dtype: Any, tmp_path: Path) -> None:
    vectors = arrays()["vectors"].astype(dtype)
    corpus, notes = imported(tmp_path, vectors=vectors)
    np.testing.assert_array_equal(corpus.vectors.numpy(), vectors.astype(np.float32))
    kept = np.dtype(dtype).itemsize <= 4
    assert bool(notes) is not kept


def test_titles_of_bytes_are_text(tmp_path: Path) -> None:
    corpus, _ = imported(tmp_path, titles=np.array([b"a", b"b", b"c"]))
    assert corpus.info.titles == ("a", "b", "c")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.integers(0, 4), min_size=1, max_size=20),
    seed=st.integers(0, 5),
    splits=st.booleans(),
    titles=st.booleans(),
)
def test_every_row_keeps_its_article_its_split_and_its_order(
    tmp_path: Path, numbers: list[int], seed: int, splits: bool, titles: bool
) -> None:
    names = sorted(set(numbers))
    vectors = np.random.default_rng(seed).normal(size=(len(numbers), 3)).astype(np.float32)
    held: dict[str, Any] = {"vectors": vectors, "article_indices": np.array(numbers)}
    if splits:
        held["splits"] = np.array([name % 3 for name in names])
    if titles:
        held["titles"] = np.array([f"title {name}" for name in names])
    np.savez(tmp_path / "in.npz", **held)
    import_npz(tmp_path / "in.npz", tmp_path / "out.safetensors", ABOUT, seed=seed, force=True)
    corpus = Corpus.open(tmp_path / "out.safetensors")
    expected = [vectors[i] for name in names for i, number in enumerate(numbers) if number == name]
    np.testing.assert_array_equal(corpus.vectors.numpy(), np.array(expected))
    assert corpus.starts.diff().tolist() == [numbers.count(name) for name in names]
    if splits:
        assert corpus.splits.tolist() == [name % 3 for name in names]
    assert corpus.info.titles == (tuple(f"title {name}" for name in names) if titles else ())


def test_drawn_splits_come_from_the_seed_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", vectors=np.ones((40, 2)), article_indices=np.arange(40))

    def drawn(seed: int) -> list[int]:
        import_npz(tmp_path / "in.npz", tmp_path / "out.safetensors", ABOUT, seed=seed, force=True)
        return Corpus.open(tmp_path / "out.safetensors").splits.tolist()

    assert drawn(1) == drawn(1) != drawn(2)
    assert [drawn(1).count(split) for split in (0, 1, 2)] == [28, 6, 6]  # shares of what is drawn, one by one


def test_a_file_cut_or_damaged_anywhere_is_named_or_whole(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "whole.npz", **arrays())
    whole = (tmp_path / "whole.npz").read_bytes()
    import_npz(tmp_path / "whole.npz", tmp_path / "whole.safetensors", ABOUT)
    good = (tmp_path / "whole.safetensors").read_bytes()
    entries = whole.index(b"PK\x01\x02")  # behind them stands the directory, where a name is a name
    damaged = [whole[:cut] for cut in range(0, len(whole), 61)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(0, entries, 13)]
    named = 0
    for content in damaged:
        (tmp_path / "in.npz").write_bytes(content)
        try:
            import_npz(tmp_path / "in.npz", tmp_path / "out.safetensors", ABOUT, force=True)
        except LvmError as problem:
            assert str(tmp_path / "in.npz") in (problem.where or "")  # noqa: PT017 – either outcome is right
            named += 1
        else:  # a byte that nothing depends on
            assert (tmp_path / "out.safetensors").read_bytes() == good
    assert named > len(damaged) / 2


@pytest.mark.parametrize("key", ["vectors", "splits"])
def test_an_entry_that_is_no_array_is_named(key: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", **{k: v for k, v in arrays().items() if k != key})
    with zipfile.ZipFile(tmp_path / "in.npz", "a") as archive:
        archive.writestr(f"{key}.npy", "text")
    with pytest.raises(LvmError, match=f"'{key}' is no array"):
        import_npz(tmp_path / "in.npz", tmp_path / "out.safetensors", ABOUT)


def test_an_existing_corpus_is_not_overwritten_unasked(tmp_path: Path) -> None:
    imported(tmp_path)
    with pytest.raises(LvmError, match="exists already") as caught:
        imported(tmp_path)
    assert "--force" in (caught.value.fix or "")
    np.savez(tmp_path / "in.npz", **arrays(splits=np.array([2, 1, 0])))
    import_npz(tmp_path / "in.npz", tmp_path / "out.safetensors", ABOUT, force=True)
    assert Corpus.open(tmp_path / "out.safetensors").splits.tolist() == [2, 1, 0]


def test_a_file_that_is_no_npz_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.npz").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(LvmError, match="no NPZ"):
        import_npz(tmp_path / "in.npz", tmp_path / "out.safetensors", ABOUT)


def test_a_folder_is_said_to_be_one_and_a_file_that_may_not_be_read_gets_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lvm: Lvm
) -> None:
    (tmp_path / "in.npz").mkdir()
    for folder in ("in.npz", "."):
        said = lvm("data", "import", folder, status=2).stderr
        assert said.startswith("lvm: that is a folder, and no file")
        assert "expected: an archive as np.savez writes it" in said
    (tmp_path / "in.npz").rmdir()
    np.savez(tmp_path / "in.npz", **arrays())

    def refuse(self: Path, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(LvmError, match="the file cannot be read: Permission denied\n"):
        import_npz(tmp_path / "in.npz", tmp_path / "out.safetensors", ABOUT)


@pytest.mark.parametrize(
    ("splits", "lengths", "said"),
    [
        ([0, 2, 2], [8, 8, 8], ["no window for validation: no article is in split 'val'"]),
        ([0, 1, 1], [8, 5, 5], ["no window for validation: split 'val' holds 2 articles, the longest of 5 chunks"]),
        (
            [2, 2, 1],
            [8, 8, 3],
            ["no window for training: no article is in split 'train'", "no window for validation: split 'val' holds"],
        ),
        ([0, 0, 1], [6, 1, 6], []),  # nobody trains on OOD
    ],
)
def test_what_no_run_can_use_is_imported_with_a_note_of_what_it_lacks(
    splits: list[int], lengths: list[int], said: list[str], tmp_path: Path, lvm: Lvm
) -> None:
    rows = sum(lengths)
    changed = {
        "vectors": np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float16),
        "article_indices": np.repeat([3, 5, 9], lengths),
        "chunk_indices": None,
        "splits": np.array(splits),
    }
    corpus, _ = imported(tmp_path, **changed)
    found = list(wanting(corpus))
    assert len(found) == len(said)
    assert all(part in one for part, one in zip(said, found, strict=True))
    assert all("articles of at least 6 chunks" in one for one in found)
    printed = lvm("data", "import", "in.npz").stdout
    assert printed.count("note: no run can use this corpus: there is") == len(said)
    assert "in.safetensors: " in printed


def test_a_random_tenth_is_not_passed_off_as_out_of_domain(tmp_path: Path) -> None:
    assert any("they are not out of domain" in note for note in imported(tmp_path, splits=None)[1])
