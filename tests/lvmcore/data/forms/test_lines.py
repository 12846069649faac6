"""An array of vectors, or a flat index, with a line a row beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bringing import bring

from lvmcore.errors import LvmError

VECTORS = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
LINES = [
    {
        "article": "b" if row < 8 else "a",
        "chunk": row % 8,
        "title": f"T{row // 8}",
        "split": "train" if row < 8 else "val",
    }
    | {"text": f"text {row}", "mood": "sad"}
    for row in range(16)
]


def write(folder: Path, lines: list[Any], name: str = "v") -> tuple[Path, Path]:
    np.save(folder / f"{name}.npy", VECTORS)
    (folder / f"{name}.jsonl").write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    )
    return folder / f"{name}.npy", folder / f"{name}.jsonl"


def test_lines_say_what_rows_are_of(tmp_path: Path) -> None:
    corpus, notes = bring(write(tmp_path, LINES), tmp_path / "c.safetensors")
    np.testing.assert_array_equal(corpus.vectors.numpy(), VECTORS)
    assert corpus.info.titles == ("T0", "T1")
    assert corpus.splits.tolist() == [0, 1]
    assert corpus.texts is not None
    assert corpus.texts.take([3, 15]) == ["text 3", "text 15"]
    assert notes == ["not read, since nothing in a corpus corresponds: 'mood'"]


def test_rows_in_any_order_keep_their_texts(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(16)
    files = write(tmp_path, [LINES[row] for row in order])
    np.save(files[0], VECTORS[order])
    corpus, _ = bring(files, tmp_path / "c.safetensors")
    assert corpus.texts is not None
    by_text = dict(zip(corpus.texts, corpus.vectors.numpy(), strict=True))
    for row in range(16):
        np.testing.assert_array_equal(by_text[f"text {row}"], VECTORS[row])


def test_lines_beside_the_array_are_found_and_it_is_said(tmp_path: Path) -> None:
    vectors, lines = write(tmp_path, LINES)
    corpus, notes = bring(vectors, tmp_path / "c.safetensors")
    assert len(corpus.splits) == 2
    assert notes[0] == f"{lines} says what its rows are of"


def test_several_arrays_are_one_corpus_and_each_finds_its_lines(tmp_path: Path) -> None:
    files = [*write(tmp_path, LINES, "one"), *write(tmp_path, LINES, "two")]
    corpus, _ = bring([files[0], files[2], files[3], files[1]], tmp_path / "c.safetensors")
    assert corpus.info.sources == ("one", "one", "two", "two")
    assert corpus.info.titles == ("T0", "T1", "T0", "T1")
    np.testing.assert_array_equal(corpus.vectors.numpy(), np.concatenate([VECTORS, VECTORS]))


def test_columns_of_other_names_are_named_by_the_user(tmp_path: Path) -> None:
    files = write(tmp_path, [{"doc": line["article"], "body": line["text"]} for line in LINES])
    with pytest.raises(LvmError, match="nothing says which article"):
        bring(files, tmp_path / "c.safetensors")
    corpus, _ = bring(files, tmp_path / "c.safetensors", columns={"article": "doc", "text": "body"})
    assert corpus.info.titles == ("b", "a")  # names have the order in which they come
    with pytest.raises(LvmError, match="there is no column 'docs'"):
        bring(files, tmp_path / "c.safetensors", columns={"article": "docs"}, force=True)
    with pytest.raises(LvmError, match="'articel' is nothing that a column can be"):
        bring(files, tmp_path / "c.safetensors", columns={"articel": "doc"}, force=True)


def test_an_array_alone_is_one_article_if_one_says_so(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VECTORS)
    with pytest.raises(LvmError, match="nothing says which article") as caught:
        bring(tmp_path / "v.npy", tmp_path / "c.safetensors")
    assert "--one-article" in (caught.value.fix or "")
    corpus, _ = bring(tmp_path / "v.npy", tmp_path / "c.safetensors", one_article=True)
    assert corpus.starts.tolist() == [0, 16]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (LINES[:15], "there are 15 lines for 16 rows"),
        ([*LINES, LINES[0]], "there are more lines than the 16 rows"),
        ([*LINES[:3], "{", *LINES[4:]], "line 4 is no JSON"),
        ([*LINES[:3], "[1]", *LINES[4:]], "line 4 is no JSON object"),
        ([*LINES[:3], "", *LINES[4:]], "line 4 is no JSON"),
        ([*LINES[:3], "[" * 100_000, *LINES[4:]], "line 4 is no JSON"),
        ([*LINES[:3], {**LINES[3], "article": [1]}, *LINES[4:]], "line 4: 'article' is no number and no text"),
        ([*LINES[:3], {}, *LINES[4:]], "a row names no article"),
        ([*LINES[:3], {**LINES[3], "split": "val"}, *LINES[4:]], "1 articles are in more than one split"),
        ([*LINES[:3], {**LINES[3], "split": "odd"}, *LINES[4:]], "'splits' are not split numbers"),
        ([*LINES[:3], {**LINES[3], "chunk": "x"}, *LINES[4:]], "the chunk numbers are"),
        ([*LINES[:3], '{"a": "\xff"}'.encode("latin-1").decode("latin-1"), *LINES[4:]], "a row names no article"),
    ],
)
def test_what_is_wrong_with_the_lines_is_said_and_nothing_is_written(
    lines: list[Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(LvmError, match=said):
        bring(write(tmp_path, lines), tmp_path / "c.safetensors")
    assert not list(tmp_path.glob("*.safetensors"))
    assert not list(tmp_path.glob("*.texts.jsonl"))


def test_lines_without_vectors_are_named(tmp_path: Path) -> None:
    _, lines = write(tmp_path, LINES)
    with pytest.raises(LvmError, match="no vectors that these lines belong to"):
        bring(lines, tmp_path / "c.safetensors")


def test_texts_and_titles_are_made_clean(tmp_path: Path) -> None:
    lines = [{**line, "title": "\x1b[31mred\x07", "text": "a\x1b]0;x\x07b \ud800"} for line in LINES]
    corpus, _ = bring(write(tmp_path, lines), tmp_path / "c.safetensors")
    assert set(corpus.info.titles) == {"red"}
    assert corpus.texts is not None
    assert corpus.texts[0] == "ab \ufffd"


def test_a_flat_index_of_faiss_is_an_array(tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    _, lines = write(tmp_path, LINES)
    for make in (faiss.IndexFlatL2, faiss.IndexFlatIP, lambda d: faiss.IndexFlat(d, faiss.METRIC_Lp)):
        index = make(4)
        index.add(VECTORS)
        faiss.write_index(index, str(tmp_path / "v.faiss"))
        corpus, _ = bring([tmp_path / "v.faiss", lines], tmp_path / "c.safetensors", force=True)
        np.testing.assert_array_equal(corpus.vectors.numpy(), VECTORS)
    whole = (tmp_path / "v.faiss").read_bytes()
    (tmp_path / "v.faiss").write_bytes(whole[:-3])
    with pytest.raises(LvmError, match="16 rows of width 4, 256 bytes, and there are 253"):
        bring(tmp_path / "v.faiss", tmp_path / "c.safetensors", force=True)
    other = faiss.index_factory(4, "HNSW4,Flat")
    other.add(VECTORS)
    faiss.write_index(other, str(tmp_path / "v.faiss"))
    with pytest.raises(LvmError, match="an index of kind IHNf") as caught:
        bring(tmp_path / "v.faiss", tmp_path / "c.safetensors", force=True)
    assert "reconstruct_n" in (caught.value.fix or "")
