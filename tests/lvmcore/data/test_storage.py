"""Corpus files that are written as their rows come, and files that are not what their header says."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.store.writing import save_corpus
from lvmcore.errors import LvmError

INFO = CorpusInfo(name="c", titles=("first", "second"), sources=("a.txt", "b.txt"), encoder_term="minilm")
STARTS, SPLITS = np.array([0, 4, 10]), np.array([0, 1])
TEXTS = [f"text {i}, é\n\u2028“{'x' * i}”" for i in range(10)]


def rows(count: int = 10, width: int = 3, dtype: type = np.float16) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, width)).astype(dtype)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "c.safetensors"
    save_corpus(path, rows(), STARTS, SPLITS, INFO, TEXTS)
    return path


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def with_header(path: Path, header: dict[str, Any], data: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, 10), max_size=4).map(sorted),
    dtype=st.sampled_from([np.float16, np.float32]),
    texts=st.one_of(st.none(), st.lists(st.text(st.characters(codec="utf-8")), min_size=10, max_size=10)),
)
def test_blocks_give_the_file_that_the_whole_array_gives(
    tmp_path: Path, cuts: list[int], dtype: type, texts: list[str] | None
) -> None:
    vectors = rows(dtype=dtype)
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    digest = save_corpus(one, vectors, STARTS, SPLITS, INFO, texts)
    assert save_corpus(two, iter(np.split(vectors, cuts)), STARTS, SPLITS, INFO, texts) == digest
    assert one.read_bytes() == two.read_bytes()
    corpus = Corpus.open(two)
    assert corpus.verify() == corpus.digest == digest
    np.testing.assert_array_equal(corpus.vectors.numpy(), vectors)
    assert (list(corpus.texts) if corpus.texts is not None else None) == texts
    assert corpus.info.sources == INFO.sources


def test_any_reader_of_safetensors_reads_the_file(written: Path) -> None:
    held = safetensors.numpy.load_file(written)
    assert {name: (array.dtype.name, array.shape) for name, array in held.items()} == {
        "starts": ("int64", (3,)),
        "text_offsets": ("int64", (11,)),
        "scales": ("float32", (10,)),
        "vectors": ("float16", (10, 3)),
        "splits": ("uint8", (2,)),
    }
    np.testing.assert_allclose(held["scales"], 1 / np.linalg.norm(rows().astype(np.float64), axis=1), rtol=1e-6)


def test_a_file_written_as_schema_1_reads_as_ever(written: Path) -> None:
    held = safetensors.numpy.load_file(written)
    arrays = {name: held[name] for name in ("vectors", "starts", "splits")}
    about = json.dumps({"schema": 1, "kind": "corpus", "name": "old", "digest": Corpus.open(written).digest})
    safetensors.numpy.save_file(arrays, written, {"lvm": about})
    corpus = Corpus.open(written)
    assert (corpus.verify(), corpus.info.name, corpus.texts) == (corpus.digest, "old", None)
    np.testing.assert_array_equal(corpus.scales.numpy(), held["scales"])


def test_opening_reads_no_row(written: Path) -> None:
    header, data = header_of(written)
    begin, end = header["vectors"]["data_offsets"]
    with_header(written, header, data[:begin] + b"\xff" * (end - begin) + data[end:])  # all of them not a number
    corpus = Corpus.open(written)
    assert corpus.digest == corpus.info.digest
    with pytest.raises(LvmError, match="do not match the digest"):
        corpus.verify()


def test_texts_are_read_row_by_row(written: Path) -> None:
    texts = Corpus.open(written).texts
    assert texts is not None
    assert (len(texts), texts[3], list(texts), texts.take([9, 0])) == (10, TEXTS[3], TEXTS, [TEXTS[9], TEXTS[0]])
    with pytest.raises(IndexError):
        texts[10]


@pytest.mark.parametrize("change", ["missing", "shorter", "longer"])
def test_texts_of_another_corpus_are_no_texts_of_this_one(change: str, written: Path) -> None:
    file = written.with_name("c.texts.jsonl")
    content = file.read_bytes()
    file.unlink() if change == "missing" else file.write_bytes(content[:-1] if change == "shorter" else content + b"\n")
    corpus = Corpus.open(written)  # whose rows are of use all the same
    assert corpus.texts is not None
    with pytest.raises(LvmError, match="cannot be read" if change == "missing" else "do not belong") as caught:
        corpus.texts.take([0])
    assert caught.value.where == str(file)


def test_a_text_that_was_changed_is_found_by_verifying(written: Path) -> None:
    file = written.with_name("c.texts.jsonl")
    file.write_bytes(file.read_bytes().replace(b"text 3", b"text 4"))
    with pytest.raises(LvmError, match="the texts do not match their digest"):
        Corpus.open(written).verify()


@pytest.mark.parametrize("at", range(0, 100, 7))
def test_one_changed_byte_is_found_by_opening_or_by_verifying(at: int, written: Path) -> None:
    header, data = header_of(written)
    place = at * (len(data) - 1) // 100
    if header["text_offsets"]["data_offsets"][0] <= place < header["text_offsets"]["data_offsets"][1]:
        place = 0
    with_header(written, header, data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :])
    with pytest.raises(LvmError):
        Corpus.open(written).verify()


def told_short(header: dict[str, Any], name: str) -> None:
    """The array lacks a row, which stands under another name."""
    entry = header[name]
    begin, end = entry["data_offsets"]
    width = (end - begin) // entry["shape"][0]
    header["rest"] = {**entry, "shape": [1, *entry["shape"][1:]], "data_offsets": [end - width, end]}
    header[name] = {
        **entry,
        "shape": [entry["shape"][0] - 1, *entry["shape"][1:]],
        "data_offsets": [begin, end - width],
    }


@pytest.mark.parametrize("name", ["vectors", "starts", "splits", "scales", "text_offsets"])
def test_a_header_that_lies_about_a_length_is_an_error(name: str, written: Path) -> None:
    header, data = header_of(written)
    told_short(header, name)
    with_header(written, header, data)
    with pytest.raises(LvmError, match=r"malformed|scales are|9 texts for 10 rows"):
        Corpus.open(written)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_header_that_lies_about_any_number_is_an_error_or_changes_nothing(written: Path, data: st.DataObject) -> None:
    whole = written.read_bytes()
    try:
        header, content = header_of(written)
        name = data.draw(st.sampled_from(["vectors", "starts", "splits", "scales"]))
        key = data.draw(st.sampled_from(["shape", "data_offsets"]))
        place = data.draw(st.integers(0, len(header[name][key]) - 1))
        number = data.draw(st.integers(0, 400) | st.sampled_from([2**31, 2**63, 2**64 - 1]))
        if number != header[name][key][place]:
            header[name][key][place] = number
            with_header(written, header, content)
            with pytest.raises(LvmError):
                Corpus.open(written)
    finally:
        written.write_bytes(whole)


@pytest.mark.parametrize("name", ["titles", "sources"])
def test_a_header_that_names_more_articles_than_there_are_is_an_error(name: str, written: Path) -> None:
    header, data = header_of(written)
    about = json.loads(header["__metadata__"]["lvm"])
    header["__metadata__"]["lvm"] = json.dumps({**about, name: ["one"] * 3})
    with_header(written, header, data)
    with pytest.raises(LvmError, match=f"names 3 {name} for 2 articles"):
        Corpus.open(written)


def breaking() -> Iterator[np.ndarray]:
    yield rows(4)
    raise RuntimeError("the encoder broke")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vectors": [rows(4), rows(5)]}, "there are 9 rows, and starts end at 10"),
        ({"vectors": [rows(4), rows(7)]}, "does not fit"),
        ({"vectors": [rows(4), rows(6, 4)]}, "does not fit"),
        ({"vectors": [rows(4), rows(6, dtype=np.float32)]}, "does not fit"),
        ({"vectors": [rows(4), rows(6) * np.float16(np.nan)]}, "row 4 is not finite, chunk 0 of article 1 \\('second"),
        ({"vectors": []}, "there are no rows"),
        ({"vectors": [np.zeros(3, np.float16)]}, "malformed"),
        ({"vectors": rows(9)}, "do not rise"),
        ({"texts": TEXTS[:9]}, "there are 9 texts for 10 rows"),
        ({"texts": [*TEXTS, "more"]}, "there are more than 10 texts for 10 rows"),
        ({"texts": ["\ud800"] * 10}, "no Unicode"),
        ({"info": CorpusInfo(name="c", titles=("one",))}, "names 1 titles for 2 articles"),
        ({"info": CorpusInfo(name="c", titles=("x" * 60_000_000, "y" * 60_000_000))}, "several shards"),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_what_cannot_be_written_leaves_nothing_behind(
    changes: dict[str, Any], said: str, old: bool, tmp_path: Path
) -> None:
    path = tmp_path / "c.safetensors"
    if old:
        save_corpus(path, rows(), STARTS, SPLITS, INFO, TEXTS)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    given = {"vectors": rows(), "starts": STARTS, "splits": SPLITS, "info": INFO, "texts": TEXTS, **changes}
    with pytest.raises(LvmError, match=said):
        save_corpus(path, **given)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_rows_that_break_off_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the encoder broke"):
        save_corpus(tmp_path / "c.safetensors", breaking(), STARTS, SPLITS, INFO, TEXTS)
    assert not list(tmp_path.iterdir())
