"""Files that are not what they say, and paths that lead nowhere: each with its error, and nothing half-written."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bringing import bring
from conftest import Lvm

from lvmcore.errors import LvmError

HELD = {"vectors": np.ones((6, 2), np.float32), "article_indices": np.zeros(6, int)}


def header(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def archive(file: Path, **entries: bytes) -> Path:
    """An NPZ with these entries in place of arrays, packed."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(f"{name}.npy", content)
    return file


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_a_header_of_terabytes_is_held_against_what_is_there(tmp_path: Path) -> None:
    file = archive(tmp_path / "v.npz", vectors=header((2**33, 1000)), article_indices=npy(np.zeros(6, int)))
    with pytest.raises(LvmError, match=r"says float32 \(8589934592, 1000\), 34,359,738,368,000 bytes, and there are 0"):
        bring(file, tmp_path / "c.safetensors")
    (tmp_path / "v.npy").write_bytes(header((2**33, 1000)) + b"\0" * 64)
    with pytest.raises(LvmError, match="and there are 64"):
        bring(tmp_path / "v.npy", tmp_path / "c.safetensors")


def test_a_small_archive_of_gigabytes_is_taken_for_a_bomb_before_it_is_unpacked(tmp_path: Path) -> None:
    size = 2**31
    with zipfile.ZipFile(tmp_path / "v.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        made.writestr("article_indices.npy", npy(np.zeros(6, int)))
        with made.open("vectors.npy", "w") as stream:
            stream.write(header((size // 4000, 1000)))
            for _ in range(size // 4000):
                stream.write(b"\0" * 4000)
    assert (tmp_path / "v.npz").stat().st_size < 2.5e6
    with pytest.raises(LvmError, match="unpacks to 2,147,4") as caught:
        bring(tmp_path / "v.npz", tmp_path / "c.safetensors")
    assert caught.value.fix == "--max-unpacked 2G, if it is what it should be"
    assert not (tmp_path / "c.safetensors").exists()


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2**40, 0), "<f4"), ((2**40,), "<U0"), ((2**62, 2**62), "<f4"), ((-1, 5), "<f4")]
)
def test_shapes_without_bytes_or_beyond_all_numbers_are_named(
    shape: tuple[int, ...], dtype: str, tmp_path: Path
) -> None:
    file = archive(tmp_path / "v.npz", vectors=header(shape, dtype), article_indices=npy(np.zeros(6, int)))
    with pytest.raises(LvmError, match=r"'vectors' is empty|the header of 'vectors' says|'vectors' is no array"):
        bring(file, tmp_path / "c.safetensors")


def test_structured_arrays_and_other_types_are_no_vectors(tmp_path: Path) -> None:
    for odd in (
        np.zeros(6, [("a", "f4")]),
        np.zeros((6, 2), "M8[s]"),
        np.zeros((6, 2), complex),
        np.zeros((6, 2), bool),
    ):
        np.savez(tmp_path / "v.npz", **{**HELD, "vectors": odd})
        with pytest.raises(LvmError, match="vectors are"):
            bring(tmp_path / "v.npz", tmp_path / "c.safetensors")


def test_pickled_titles_and_texts_are_read_only_if_they_are_trusted(tmp_path: Path) -> None:
    texts = np.array([f"text {row}" for row in range(6)], object)
    np.savez(tmp_path / "v.npz", **HELD, titles=np.array(["one"], object), concept_texts=texts)
    with pytest.raises(LvmError, match="holds pickled objects") as caught:
        bring(tmp_path / "v.npz", tmp_path / "c.safetensors")
    assert "--trust-pickle" in (caught.value.fix or "")
    corpus, _ = bring(tmp_path / "v.npz", tmp_path / "c.safetensors", trust_pickle=True)
    assert corpus.info.titles == ("one",)
    assert corpus.texts is not None
    assert list(corpus.texts) == list(texts)


def test_trusted_pickles_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    file = archive(tmp_path / "v.npz", vectors=npy(HELD["vectors"]), article_indices=header((6,), "|O") + b"nonsense")
    with pytest.raises(LvmError, match="'article_indices' cannot be unpickled"):
        bring(file, tmp_path / "c.safetensors", trust_pickle=True)
    missing = pickle.dumps(np.array([1], object)).replace(b"numpy", b"nunpy")
    file = archive(tmp_path / "v.npz", vectors=npy(HELD["vectors"]), article_indices=header((6,), "|O") + missing)
    with pytest.raises(LvmError, match="cannot be unpickled: ModuleNotFoundError"):
        bring(file, tmp_path / "c.safetensors", trust_pickle=True)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"article_indices": np.full(6, np.nan)}, "the articles are float64"),
        ({"article_indices": np.full(6, 0.5)}, "the articles are float64"),
        ({"article_indices": np.zeros(6, complex)}, "the articles are complex128"),
        ({"chunk_indices": np.full(6, np.inf)}, "the chunk numbers are float64, or not finite"),
        ({"vectors": np.ones((6, 0), np.float32)}, "'vectors' is empty"),
        ({"vectors": np.ones((0, 4), np.float32), "article_indices": np.zeros(0, int)}, "'vectors' is empty"),
        ({"texts": np.array(["a"])}, "there are 1 texts for 6 vectors"),
    ],
)
def test_arrays_that_do_not_fit_are_named(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", **{**HELD, **changed})
    with pytest.raises(LvmError, match=said):
        bring(tmp_path / "v.npz", tmp_path / "c.safetensors")
    assert not (tmp_path / "c.safetensors").exists()


def test_characters_that_are_none_are_no_text(tmp_path: Path) -> None:
    for kind in ("<U1", ">U1"):
        odd = np.full(1, 0x01000000, np.dtype("u4").newbyteorder(kind[0])).view(kind)
        np.savez(tmp_path / "v.npz", **HELD, titles=odd)
        with pytest.raises(LvmError, match="'titles' holds characters that are none"):
            bring(tmp_path / "v.npz", tmp_path / "c.safetensors")


def test_article_numbers_of_any_width_and_names_are_kept_apart(tmp_path: Path) -> None:
    for numbers in (
        np.array([2**64 - 1, 2**63, 5] * 2, np.uint64),
        np.array([-(2**63), 2**63 - 1, 0] * 2),
        np.array([3.0, 1.0, 2.0] * 2),
        np.array(["ä", "b", "c"] * 2),
        np.array([b"\xff", b"b", b"c"] * 2),
        np.array([True, False, True] * 2),
    ):
        np.savez(tmp_path / "v.npz", vectors=np.ones((6, 2), np.float32), article_indices=numbers)
        corpus, _ = bring(tmp_path / "v.npz", tmp_path / "c.safetensors", force=True)
        assert sorted(corpus.starts.diff().tolist()) == sorted(np.unique(numbers, return_counts=True)[1].tolist())


def test_chunks_that_are_missing_or_there_twice_are_said(tmp_path: Path) -> None:
    chunks = np.array([0, 1, 2, 5, 6, 6])
    np.savez(tmp_path / "v.npz", **HELD, chunk_indices=chunks)
    _, notes = bring(tmp_path / "v.npz", tmp_path / "c.safetensors")
    assert "1 rows have the article and chunk of another; they stand in the order of the file" in notes
    assert "1 articles lack chunks; what stands about a gap counts as consecutive" in notes


def test_keys_that_nothing_corresponds_to_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", **HELD, mood=np.zeros(3), **{"a\x1b[31m": np.zeros(1)})
    _, notes = bring(tmp_path / "v.npz", tmp_path / "c.safetensors")
    assert "not read, since nothing in a corpus corresponds: 'a', 'mood'" in notes


def test_titles_by_number_are_found_where_some_articles_have_no_rows(tmp_path: Path) -> None:
    held = {"vectors": HELD["vectors"], "article_indices": np.array([1, 1, 3, 3, 4, 4])}
    np.savez(tmp_path / "v.npz", **held, titles=np.array(list("abcde")), splits=np.array([2, 0, 2, 1, 2]))
    corpus, notes = bring(tmp_path / "v.npz", tmp_path / "c.safetensors")
    assert corpus.info.titles == ("b", "d", "e")
    assert corpus.splits.tolist() == [0, 1, 2]
    assert "there are 5 titles for 3 articles: each was found by the article's number" in notes


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("v.safetensors", "that is a corpus already"),
        ("v.txt", "that is text"),
        ("v.pkl", "a pickle can run any code"),
        ("v.pt", "PyTorch's files are pickles"),
        ("v.csv", "vectors in text are not read"),
        ("v.xyz", "of no form that is read"),
        ("v", "of no form that is read"),
        ("v.npz", "no NPZ, or truncated"),
        ("v.npy", "'v.npy' is no array"),
        ("v.faiss", "no index of FAISS"),
        ("v.parquet", "cannot be read"),
    ],
)
def test_files_of_no_form_are_named_with_what_to_do(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"some words")
    with pytest.raises(LvmError, match=said) as caught:
        bring(tmp_path / name, tmp_path / "c.safetensors")
    assert str(tmp_path / name) in (caught.value.where or "")
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(LvmError):
        bring(tmp_path / name, tmp_path / "c.safetensors")


def test_a_file_of_another_name_is_known_by_its_beginning(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", **HELD)
    (tmp_path / "v.npz").rename(tmp_path / "vectors.bin")
    assert len(bring(tmp_path / "vectors.bin", tmp_path / "c.safetensors")[0]) == 6


def test_paths_that_lead_nowhere_are_named(tmp_path: Path, lvm: Lvm) -> None:
    np.savez(tmp_path / "v.npz", **HELD)
    for words, said in (
        (("none.npz",), "there is no such file"),
        (("",), "a path is empty"),
        (("/",), "that is a folder"),
        (("v.npz", "-o", ""), "a path is empty"),
        (("v.npz", "-o", "c.npz"), "no name for a corpus"),
        (("v.npz", "-o", "v"), "no name for a corpus"),
        (("v.npz", "v.npz"), "the corpus needs a name"),
        (("v.npz/x.npz",), "Not a directory"),
        (("v.npz", "--max-unpacked", "much"), "'much' is no size"),
        (("v.npz", "--column", "text"), "no role=NAME"),
        (("v.npz", "--split", "80/20"), "are no shares"),
    ):
        assert said in lvm("data", "import", *words, status=2).stderr, words
    assert [file.name for file in tmp_path.iterdir()] == ["v.npz"]


def test_a_source_is_never_written_over(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", **HELD)
    (tmp_path / "link.safetensors").symlink_to("v.npz")
    with pytest.raises(LvmError, match="written over what it is made from"):
        bring(tmp_path / "v.npz", tmp_path / "link.safetensors", force=True)
    np.save(tmp_path / "c.texts.npy", HELD["vectors"])
    (tmp_path / "c.texts.jsonl").write_text('{"article": 1}\n' * 6)
    with pytest.raises(LvmError, match="written over what it is made from"):
        bring(tmp_path / "c.texts.npy", tmp_path / "c.safetensors", force=True)
    (tmp_path / "d.safetensors").mkdir()
    with pytest.raises(LvmError, match="there is a folder of that name"):
        bring(tmp_path / "v.npz", tmp_path / "d.safetensors", force=True)
    assert len((tmp_path / "c.texts.jsonl").read_text()) == 15 * 6


def test_names_of_any_bytes_are_imported_and_printed(tmp_path: Path, lvm: Lvm) -> None:
    name = os.fsdecode(b"caf\xe9\x1b[31m.npz")
    np.savez(tmp_path / "v.npz", **HELD)
    (tmp_path / "v.npz").rename(tmp_path / name)
    assert "is no Unicode" in lvm("data", "import", name, status=2).stderr
    printed = lvm("data", "import", name, "-o", "\x1b[31mred.safetensors").stdout
    shown = lvm("data", "show", "\x1b[31mred.safetensors").stdout
    assert "caf\ufffd" in shown
    assert "\x1b" not in printed + shown


def test_an_entry_that_overstates_itself_in_the_directory_is_damaged(tmp_path: Path) -> None:
    content = npy(HELD["vectors"])
    file = archive(tmp_path / "v.npz", vectors=content, article_indices=npy(HELD["article_indices"]))
    whole = file.read_bytes()
    at = whole.index(b"PK\x01\x02") + 24  # the unpacked size of the first entry
    (tmp_path / "v.npz").write_bytes(whole[:at] + struct.pack("<I", 2**31) + whole[at + 4 :])
    with pytest.raises(LvmError, match=r"says|damaged|unpacks"):
        bring(file, tmp_path / "c.safetensors")


def test_widths_of_several_files_must_agree(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **HELD)
    np.savez(tmp_path / "b.npz", **{**HELD, "vectors": np.ones((6, 3), np.float32)})
    with pytest.raises(LvmError, match="of several widths: 2 in a, 3 in b"):
        bring([tmp_path / "a.npz", tmp_path / "b.npz"], tmp_path / "c.safetensors")
    assert not (tmp_path / "c.safetensors").exists()
