"""Files of text become a corpus: what is in it, what is dropped, and how its articles are divided."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from material import Builder, folder_of, words, write

from lvmcore.data.splits import OOD, VAL, drawn
from lvmcore.errors import LvmError
from lvmcore.expression import Term
from lvmcore.registry import Registry


@pytest.fixture
def build(tmp_path: Path, registry: Registry) -> Builder:
    return Builder(tmp_path, registry)


def test_a_folder_of_text_becomes_a_corpus_with_the_text_of_every_row(build: Builder, tmp_path: Path) -> None:
    texts = folder_of(tmp_path)
    corpus = build(texts, licence="CC0", source="drawn", split="60/20/20")
    assert corpus.info.titles == tuple(f"{texts}/{i:02}.txt" for i in range(12))
    assert corpus.starts.tolist() == list(range(0, 145, 12))
    held = list(corpus.texts or ())
    assert held[:12] == [" ".join(words(0, 120).split()[i : i + 10]) for i in range(0, 120, 10)]
    assert corpus.info.encoder_term == "hash,dim=64"
    assert corpus.info.chunking == "words,count=10"
    assert (corpus.info.name, corpus.info.encoder, corpus.info.licence) == ("mine", "hash", "CC0")
    encoding = build.corpora.registry.find("encoder", Term("hash")).component().build("cpu", "fp32")
    given = torch.from_numpy(encoding.encode(held))
    assert (corpus.rows(torch.arange(len(corpus))) * given).sum(1).min() > 0.9999
    assert corpus.verify() == corpus.digest
    assert build.left == ["mine.safetensors", "mine.texts.jsonl"]


def test_another_file_moves_no_article_to_another_split(build: Builder, tmp_path: Path) -> None:
    texts = folder_of(tmp_path, 40)
    before = build(texts)
    write(texts, {"005.txt": words(99, 120), "zz.txt": words(98, 120)})
    after = build(texts, force=True)
    where = dict(zip(after.info.titles, after.splits.tolist(), strict=True))
    assert [where[title] for title in before.info.titles] == before.splits.tolist()
    assert len(after.info.titles) == 42
    assert (drawn(after.info.titles) == after.splits.numpy()).all()


def test_ood_is_what_its_pattern_says_and_nothing_else(build: Builder, tmp_path: Path) -> None:
    folder_of(tmp_path)
    texts = write(tmp_path / "texts", {f"books/{i}.txt": words(50 + i, 100) for i in range(3)})
    corpus = build(texts, ood=["books/*"])
    outside = [title for title, split in zip(corpus.info.titles, corpus.splits, strict=True) if split == OOD]
    assert outside == [f"{texts}/books/{i}.txt" for i in range(3)]
    assert not any("out of domain" in said for said in build.said)
    assert corpus.info.sources[:3] == (str(texts / "00.txt"), str(texts / "01.txt"), str(texts / "02.txt"))
    assert set(corpus.info.sources[-3:]) == {str(texts / "books")}  # what is in a folder named alone is a source
    by_argument = build(texts / "books", texts / "00.txt", ood=[str(texts / "books")], force=True)
    assert by_argument.splits.tolist().count(OOD) == 3


def test_a_pattern_that_matches_nothing_is_said_before_anything_is_encoded(build: Builder, tmp_path: Path) -> None:
    with pytest.raises(LvmError, match="'boks/\\*' matches no article"):
        build(folder_of(tmp_path), ood=["boks/*"])
    assert not list(tmp_path.glob(".mine.building/blocks/*"))
    build(tmp_path / "texts", ood=["texts/0*"])  # what was read is not read again, and the pattern may be mended


def test_copies_and_near_copies_are_dropped_before_splits_are_drawn(build: Builder, tmp_path: Path) -> None:
    texts = folder_of(tmp_path, 40, 400)
    first = words(3, 400)
    near = first.replace(first.split()[200], "another", 1)
    write(texts, {"a-copy.txt": first, "near.txt": f"One more beginning. {near}", "z.txt": words(77, 400)})
    corpus = build(texts)
    assert {Path(title).name for title in corpus.info.titles} == {*(f"{i:02}.txt" for i in range(40)), "z.txt"}
    assert any("1 article dropped, the same as an earlier one" in said and "a-copy.txt" in said for said in build.said)
    assert any("1 article dropped, nearly the same" in said and "near.txt" in said for said in build.said)
    held = list(corpus.texts or ())
    assert len(set(held)) == len(held)
    assert len(build(texts, keep_duplicates=True, force=True).info.titles) == 43


def test_what_is_a_part_of_a_longer_article_is_dropped(build: Builder, tmp_path: Path) -> None:
    texts = folder_of(tmp_path)
    part, whole = words(3, 120), words(90, 300)
    write(texts, {"whole.txt": f"{whole} {part} {words(91, 200)}", "like.txt": f"{part[:300]} {words(92, 400)}"})
    corpus = build(texts)
    titles = {Path(title).name for title in corpus.info.titles}
    assert titles == {*(f"{i:02}.txt" for i in range(12) if i != 3), "whole.txt", "like.txt"}
    (said,) = (said for said in build.said if "a part of a longer one" in said)
    assert "1 article dropped" in said
    assert "03.txt' of 12 chunks, in '" in said
    assert "whole.txt'" in said


def test_what_many_articles_have_is_dropped_from_all(build: Builder, tmp_path: Path) -> None:
    notice = words(1000, 20)
    texts = write(tmp_path / "texts", {f"{i}.txt": f"{notice} {words(i, 120)}" for i in range(9)})
    corpus = build(texts)
    assert corpus.starts.diff().tolist() == [12] * 9
    assert any("18 chunks dropped as boilerplate, 2 texts" in said and "in 9" in said for said in build.said)
    assert build(texts, boilerplate=0, force=True).starts.diff().tolist() == [14] * 9
    assert build(texts, boilerplate=10, force=True).starts.diff().tolist() == [14] * 9


def test_articles_without_a_window_are_dropped_and_counted(build: Builder, tmp_path: Path) -> None:
    texts = write(folder_of(tmp_path), {"short.txt": words(50, 50), "empty.txt": "", "blank.txt": " \n\n "})
    assert len(build(texts).info.titles) == 12
    assert any("1 article dropped, with fewer than 6 chunks" in said and "short.txt" in said for said in build.said)
    assert any("2 files without text" in said for said in build.said)
    assert len(build(texts, least=5, force=True).info.titles) == 13


def test_files_that_cannot_be_read_are_left_out_of_a_folder_and_are_errors_by_name(
    build: Builder, tmp_path: Path
) -> None:
    texts = folder_of(tmp_path)
    whole = gzip.compress(words(60, 4000).encode())
    (texts / "05b.txt.gz").write_bytes(whole[: len(whole) // 2])
    (texts / "05c.txt").write_bytes(b"caf\xe9 " * 100)
    (texts / "05d.zip").write_bytes(b"PK no archive")
    (texts / "picture.png").write_bytes(b"\x89PNG")
    corpus = build(texts)
    assert len(corpus.info.titles) == 12
    assert [row for row in corpus.texts or () if "caf" in row] == []
    assert any("3 files that cannot be read left out" in said and "05b.txt.gz" in said for said in build.said)
    assert any("1 file without a reader passed over: 1 of .png" in said for said in build.said)
    for name, why in (
        ("05b.txt.gz", "unpacked"),
        ("05c.txt", "not utf-8"),
        ("05d.zip", "unpacked"),
        ("picture.png", "name"),
    ):
        with pytest.raises(LvmError, match=why):
            build(texts / "00.txt", texts / name, name="other")
        assert build.left == ["mine.safetensors", "mine.texts.jsonl"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["nowhere"], "no such file or folder"),
        (["texts"], "no file is there"),
        (["pictures"], "no reader is for .*a.png"),
        (["blank"], "no article stays of 1 file with 0 articles"),
    ],
)
def test_nothing_to_read_is_an_error_that_leaves_nothing(
    build: Builder, tmp_path: Path, files: list[str], said: str
) -> None:
    (tmp_path / "texts").mkdir()
    write(tmp_path, {"pictures/a.png": "x", "blank/a.txt": "\n"})
    with pytest.raises(LvmError, match=said):
        build(*(tmp_path / name for name in files))
    assert build.left == ["blank", "pictures"]


def test_what_is_asked_for_wrongly_is_said_before_anything_is_read(build: Builder, tmp_path: Path) -> None:
    texts = folder_of(tmp_path)
    for options, said in (
        ({"encoder": "hush"}, "did you mean 'hash'"),
        ({"chunker": "words:0"}, "words"),
        ({"reader": "txt"}, "unknown reader"),
        ({"split": "80/20"}, "no shares"),
        ({"licens": "CC0"}, "did you mean 'licence'"),
        ({"boilerplate": 1}, "no boilerplate"),
        ({"least": 0}, "at least one"),
        ({"by": "folder"}, "cannot be drawn"),
    ):
        with pytest.raises(LvmError, match=said):
            build(texts, **options)
    assert build.left == []


def test_a_corpus_is_not_overwritten_unless_asked(build: Builder, tmp_path: Path) -> None:
    texts = folder_of(tmp_path)
    build(texts)
    held = (tmp_path / "mine.safetensors").read_bytes()
    with pytest.raises(LvmError, match="exists already"):
        build(texts, seed=1)
    assert (tmp_path / "mine.safetensors").read_bytes() == held
    assert build.left == ["mine.safetensors", "mine.texts.jsonl"]
    build(texts, seed=1, force=True)
    assert (tmp_path / "mine.safetensors").read_bytes() != held


def test_a_corpus_in_the_folder_that_is_read_is_no_text(build: Builder, tmp_path: Path) -> None:
    texts = folder_of(tmp_path)
    first = build(texts, name="texts/mine")
    assert build(texts, name="texts/mine", force=True).digest == first.digest


def test_a_survey_counts_what_a_build_makes_and_leaves_nothing(build: Builder, tmp_path: Path) -> None:
    texts = write(folder_of(tmp_path), {"short.txt": words(50, 50)})
    survey = build.corpora.survey(texts, encoder="hash", chunker="words:10")
    assert (survey.files, survey.articles, survey.chunks) == (13, 13, 12 * 12 + 5)
    assert (survey.kept_articles, survey.kept_chunks) == (12, 144)
    assert survey.seconds is not None
    assert survey.seconds > 0
    assert build.left == []


def test_other_files_are_read_by_their_suffix_and_titles_stay_clean(build: Builder, tmp_path: Path) -> None:
    lines = [{"title": f"\x1b[31mred {i}\x07", "text": words(i, 90)} for i in range(4)]
    texts = write(
        tmp_path / "texts", {"a.jsonl": "\n".join(map(json.dumps, lines)), "b.md": f"# Head\n\n{words(9, 90)}"}
    )
    corpus = build(texts)
    assert len(corpus.info.titles) == 5
    assert "red 0" in corpus.info.titles[0]
    assert not any("\x1b" in said or "\x07" in said for said in (*corpus.info.titles, *build.said))


def test_splits_by_source_keep_each_together(build: Builder, tmp_path: Path) -> None:
    texts = write(tmp_path / "texts", {f"{i % 10}/{i}.txt": words(i, 80) for i in range(30)})
    corpus = build(texts, by="source")
    held = np.array(corpus.info.sources)
    assert all(len(set(corpus.splits.numpy()[held == source])) == 1 for source in set(held))
    assert set(corpus.splits.tolist()) == {0, VAL, OOD}
