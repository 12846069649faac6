"""Parquet files and `datasets` folders."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bringing import bring

from lvmcore.errors import LvmError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

VECTORS = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)


def columns(**changed: Any) -> dict[str, Any]:
    held = {
        "doc_id": ["b"] * 8 + ["a"] * 8,
        "text": [f"text {row}" for row in range(16)],
        "split": ["train"] * 8 + ["validation"] * 8,
        "embedding": pa.array(list(VECTORS), pa.list_(pa.float32())),
        "url": ["x"] * 16,
    }
    return {key: value for key, value in {**held, **changed}.items() if value is not None}


def parquet(folder: Path, **changed: Any) -> Path:
    pq.write_table(pa.table(columns(**changed)), folder / "t.parquet", row_group_size=5)
    return folder / "t.parquet"


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 4), pa.large_list(pa.float32()), pa.list_(pa.float64())]
)
def test_a_column_of_lists_becomes_the_rows(kind: Any, tmp_path: Path) -> None:
    corpus, notes = bring(parquet(tmp_path, embedding=pa.array(list(VECTORS), kind)), tmp_path / "c.safetensors")
    np.testing.assert_array_equal(corpus.vectors.numpy(), VECTORS)
    assert corpus.starts.tolist() == [0, 8, 16]
    assert corpus.splits.tolist() == [0, 1]
    assert corpus.info.titles == ("b", "a")
    assert corpus.texts is not None
    assert corpus.texts[9] == "text 9"
    assert "not read, since nothing in a corpus corresponds: 'url'" in notes


def test_the_only_column_of_lists_is_the_vectors_whatever_it_is_called(tmp_path: Path) -> None:
    held = columns()
    file = parquet(tmp_path, embedding=None, e5=held["embedding"])
    assert len(bring(file, tmp_path / "c.safetensors")[0]) == 16
    file = parquet(tmp_path, embedding=None, e5=held["embedding"], other=held["embedding"])
    with pytest.raises(LvmError, match="2 columns hold lists of floats: e5, other"):
        bring(file, tmp_path / "c.safetensors", force=True)
    assert len(bring(file, tmp_path / "c.safetensors", force=True, columns={"vectors": "other"})[0]) == 16


def test_rows_out_of_order_are_sorted_with_their_texts(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(16)
    held = columns()
    shuffled = {key: [list(value)[row] for row in order] for key, value in held.items() if key != "embedding"}
    file = parquet(tmp_path, **shuffled, embedding=list(VECTORS[order]), chunk=[int(row) for row in order])
    corpus, _ = bring(file, tmp_path / "c.safetensors")
    assert corpus.texts is not None
    by_text = dict(zip(corpus.texts, corpus.vectors.numpy(), strict=True))
    for row in range(16):
        np.testing.assert_array_equal(by_text[f"text {row}"], VECTORS[row])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"embedding": None}, "no columns hold lists of floats"),
        ({"embedding": [[1.0, 2.0]] * 9 + [[1.0]] * 7}, "of width 1 and of width 2 stand in one column"),
        ({"embedding": [[1.0]] * 5 + [[1.0, 2.0]] * 11}, "of width 1 and of width 2 stand in one column"),
        ({"embedding": [None] + [[1.0]] * 15}, "rows without a vector"),
        ({"embedding": [[None]] + [[1.0]] * 15}, "with a gap in it"),
        ({"embedding": [[1]] * 16}, "vectors are int64"),
        ({"embedding": [[[1.0]]] * 16}, "'embedding' is list<"),
        ({"embedding": ["x"] * 16}, "'embedding' is string"),
        ({"embedding": [[float("nan")]] * 16}, "is not finite"),
        ({"doc_id": [None] * 16}, "a row names no article"),
        ({"doc_id": [[1]] * 16}, "unhashable"),
        ({"split": ["train"] * 7 + ["val"] * 9}, "1 articles are in more than one split"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_and_nothing_is_written(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(LvmError, match=said):
        bring(parquet(tmp_path, **changed), tmp_path / "c.safetensors")
    assert not (tmp_path / "c.safetensors").exists()


def test_a_truncated_table_is_named(tmp_path: Path) -> None:
    file = parquet(tmp_path)
    whole = file.read_bytes()
    for cut in (0, 3, 100, len(whole) - 5):
        file.write_bytes(whole[:cut])
        with pytest.raises(LvmError, match=r"cannot be read|damaged") as caught:
            bring(file, tmp_path / "c.safetensors")
        assert str(file) in (caught.value.where or "")


def test_a_table_that_unpacks_to_much_more_is_taken_for_a_bomb(tmp_path: Path) -> None:
    rows = 200_000
    row = pa.array([0.5] * 500, pa.float32())
    same = pa.FixedSizeListArray.from_arrays(pa.concat_arrays([row] * rows), 500)
    table = pa.table({"article": pa.array(np.zeros(rows, int)), "vectors": same})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    size = (tmp_path / "t.parquet").stat().st_size
    assert size < 4 * 500 * rows / 20
    with pytest.raises(LvmError, match="unpacks to 40") as caught:
        bring(tmp_path / "t.parquet", tmp_path / "c.safetensors", max_unpacked=2**28)
    assert caught.value.fix == "--max-unpacked 1G, if it is what it should be"


def test_without_pyarrow_it_is_said_which_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = parquet(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(LvmError) as caught:
        bring(file, tmp_path / "c.safetensors")
    assert "pip install 'lvmcore[parquet]'" in (caught.value.fix or "")


def folder(where: Path, name: str = "", **changed: Any) -> Path:
    """What Dataset.save_to_disk writes, as far as it is read."""
    where = where / name
    where.mkdir(parents=True)
    table = pa.table(columns(**changed))
    for number, part in enumerate((table.slice(0, 6), table.slice(6))):
        with pa.OSFile(str(where / f"data-{number}.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
            out.write_table(part)
    files = [{"filename": "data-0.arrow"}, {"filename": "data-1.arrow"}]
    (where / "state.json").write_text(json.dumps({"_data_files": files, "_indices_data_files": None}))
    return where


def test_a_datasets_folder_is_read_without_the_library(tmp_path: Path) -> None:
    corpus, _ = bring(folder(tmp_path / "set"), tmp_path / "c.safetensors")
    np.testing.assert_array_equal(corpus.vectors.numpy(), VECTORS)
    assert corpus.splits.tolist() == [0, 1]


def test_the_splits_of_a_folder_have_articles_of_their_own(tmp_path: Path) -> None:
    for name in ("train", "test"):
        folder(tmp_path / "set", name, split=None)
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    corpus, notes = bring(tmp_path / "set", tmp_path / "c.safetensors")
    assert corpus.splits.tolist() == [0, 0, 2, 2]
    assert corpus.info.titles == ("train/b", "train/a", "test/b", "test/a")
    assert any("'test' is ood here" in note for note in notes)


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({key: list(value) for key, value in columns(embedding=VECTORS.tolist()).items()})
    made.save_to_disk(tmp_path / "set")
    datasets.DatasetDict({"train": made, "validation": made}).save_to_disk(tmp_path / "sets")
    corpus, _ = bring(tmp_path / "set", tmp_path / "c.safetensors")
    np.testing.assert_array_equal(corpus.vectors.numpy(), VECTORS)
    assert len(bring(tmp_path / "sets", tmp_path / "d.safetensors")[0]) == 32


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("{", "cannot be read"),
        ('{"_data_files": [{"filename": "none.arrow"}]}', "no such file"),
        ('{"_data_files": [{"filename": "../t.arrow"}]}', "lies outside of the folder"),
        ('{"_data_files": []}', "the dataset has no data"),
        ('{"_data_files": [{"filename": "data-0.arrow"}], "_indices_data_files": [{}]}', "a selection of rows"),
        ('{"_data_files": [{"filename": "state.json"}]}', "cannot be read|damaged"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(state: str, said: str, tmp_path: Path) -> None:
    made = folder(tmp_path / "set")
    (made / "state.json").write_text(state)
    with pytest.raises(LvmError, match=said):
        bring(made, tmp_path / "c.safetensors")


def test_a_folder_of_something_else_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(LvmError, match="that is a folder, and no file"):
        bring(tmp_path, tmp_path / "c.safetensors")
