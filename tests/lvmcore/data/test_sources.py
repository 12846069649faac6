"""Files, folders and archives → articles: what is found, unpacked, decoded, and what is an error."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
from pathlib import Path

import pytest

from lvmcore.data.sources.decode import BLOCK
from lvmcore.data.sources.read import Reading
from lvmcore.data.sources.text import Article, Source, clean, clean_title
from lvmcore.data.sources.unpack import Bounds
from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

REGISTRY = Registry(Plugins(only=()))
TEXT = "Grüße, 漢字.\n\nZwei.\n"
WANT = ["Grüße, 漢字.", "Zwei."]


def reading(reader: str = "", **bounds: float) -> Reading:
    return Reading(REGISTRY, parse_one(reader) if reader else None, Bounds(**bounds))  # pyright: ignore[reportArgumentType]


def read(*paths: Path, reader: str = "", **bounds: float) -> dict[str, list[str]]:
    articles = reading(reader, **bounds).articles(paths)
    return {article.title: list(article.paragraphs) for _, article in articles}


def failing(*paths: Path, reader: str = "", **bounds: float) -> str:
    with pytest.raises(LvmError) as caught:
        read(*paths, reader=reader, **bounds)
    return str(caught.value)


def test_a_folder_is_its_files_in_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.txt", "a.TXT", "c/d.md", "c/.hidden.txt", ".git/e.txt", "f.png", "g"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "blank.txt").write_text(" \n\n\t\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "h").symlink_to(tmp_path / ".git")
    os.mkfifo(tmp_path / "pipe.txt")
    found = reading()
    names = [article.title.removeprefix(f"{tmp_path}/") for _, article in found.articles([tmp_path])]
    assert names == ["a.TXT", "b.txt", "c/d.md", "h/e.txt"]
    assert (found.files, len(found.without_text)) == (6, 2)
    assert dict(found.passed_over) == {".png": 1, "no suffix": 1}
    notes = "\n".join(found.notes())
    assert "2 files were passed over, since no reader is for them: 1 of .png, 1 of no suffix" in notes
    assert f"2 files hold no text: {tmp_path}/blank.txt, {tmp_path}/empty.txt" in notes


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_a_packed_file_is_read_as_what_is_in_it(suffix: str, pack, tmp_path: Path) -> None:
    file = tmp_path / f"a.txt{suffix}"
    file.write_bytes(pack(TEXT.encode()) + pack(b"\nDrei.\n"))
    assert read(file) == {str(file): [*WANT, "Drei."]}
    file.write_bytes(pack(TEXT.encode() * 1000)[:-9])
    assert "it cannot be unpacked; it may be truncated or damaged" in failing(file)
    file.write_bytes(TEXT.encode())
    assert "cannot be unpacked; it may be truncated or damaged: " in failing(file)


def test_an_archive_is_its_members_in_order(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("z.txt", TEXT)
        archive.writestr("b/c.md.gz", gzip.compress(b"# One\n\ntext\n"))
        archive.writestr(".hidden.txt", "hidden")
        archive.writestr("__MACOSX/x.txt", "fork")
        archive.writestr("d.png", b"\0")
        archive.writestr("../e\x1b[2J.txt", "up")
    found = reading()
    held = {article.title: list(article.paragraphs) for _, article in found.articles([file])}
    assert held == {f"{file}/../e.txt": ["up"], f"{file}/b/c.md.gz": ["One", "text"], f"{file}/z.txt": WANT}
    assert found.passed_over == {".png": 1}
    file.write_bytes(file.read_bytes()[:-40])
    assert "it cannot be unpacked" in failing(file)


def test_a_member_that_is_damaged_or_encrypted_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("b.txt", "A text that is long enough.")
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"long", b"LONG"))
    assert f"where: {file}/b.txt" in failing(file)
    at = whole.index(b"PK\1\2")
    file.write_bytes(whole[:6] + b"\1" + whole[7 : at + 8] + b"\1" + whole[at + 9 :])
    assert "it is encrypted" in failing(file)


def test_a_bomb_is_an_error_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmcore.data.sources.unpack.FREE", 1 << 20)
    block = b"boom " * 200_000
    for suffix, pack in ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)):
        file = tmp_path / f"a.txt{suffix}"
        file.write_bytes(pack(block * 3))
        assert "which is far more than text of this size does" in failing(file)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", block * 3)
        archive.writestr("b.txt", "text")
    assert f"where: {tmp_path}/a.zip/a.txt" in failing(tmp_path / "a.zip")
    # a large file of ordinary text is none, and neither is a small one that packs well
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(block))
    assert len(read(tmp_path / "b.txt.gz")) == 1
    assert "more than 1,000 bytes" in failing(tmp_path / "b.txt.gz", most=1000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_by_its_mark(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT.encode(encoding))
    assert list(read(tmp_path / "a.txt").values()) == [WANT]
    for big, mark in (("utf-16-be", b"\xfe\xff"), ("utf-32-be", b"\0\0\xfe\xff")):
        (tmp_path / "a.txt").write_bytes(mark + TEXT.encode(big))
        assert list(read(tmp_path / "a.txt").values()) == [WANT]


def test_a_byte_that_is_not_of_the_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    for before in (0, 7, BLOCK - 1, BLOCK, 3 * BLOCK + 5):
        file.write_bytes(b"x" * before + b"\xe9t\xe9")
        said = failing(file)
        assert said.startswith(f"byte {before:,} is not utf-8: ")
        assert f"where: {file}" in said
        assert "--reader text,encoding=cp1252" in said
    file.write_bytes(b"\xef\xbb\xbf" + "é".encode() * BLOCK + b"\xc3")
    assert failing(file).startswith(f"byte {3 + 2 * BLOCK:,} is not utf-8")
    file.write_bytes("é".encode("cp1252"))
    assert read(file, reader="text,encoding=cp1252") == {str(file): ["é"]}
    file.write_bytes("é".encode("utf-16-le"))
    assert read(file, reader="text,encoding=utf-16-le") == {str(file): ["é"]}


def test_what_is_no_text_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    for data in (
        b"GIF89a\1\0\1\0",
        bytes(range(32)) * 9,
        b"text " * 90_000 + b"\1\2\3\4" * 9000,
        "x".encode("utf-16-le"),
    ):
        file.write_bytes(data)
        assert "this is no text" in failing(file)
    file.write_bytes(b"a\x0cpage\x1b[1m bold \x1b[0m" * 50)  # what terminals and printers are told is text
    assert list(read(file).values()) == [["\n".join(["a"] + ["page bold a"] * 49 + ["page bold"])]]


@pytest.mark.parametrize("name", ["nonsense", "base64", "rot13", "hex"])
def test_an_encoding_that_is_none_is_named(name: str, tmp_path: Path) -> None:
    assert "'encoding' is 'auto' or the name of an encoding" in failing(tmp_path, reader=f"text,encoding={name}")


def test_a_file_without_a_known_suffix_needs_a_reader(tmp_path: Path) -> None:
    file = tmp_path / "README"
    file.write_text("text")
    said = failing(file)
    assert "the name of the file does not say what reads it" in said
    assert ".html .jsonl .markdown .md .ndjson .parquet .text .txt" in said.replace(".htm ", "")
    assert "--reader text" in said
    assert read(file, reader="text") == {str(file): ["text"]}


def test_a_named_reader_takes_the_files_of_its_suffixes_in_folders(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n\nb\n")
    (tmp_path / "b.md").write_text("# One\n")
    assert read(tmp_path, reader="text,article=line") == {f"{tmp_path}/a.txt:1": ["a"], f"{tmp_path}/a.txt:3": ["b"]}


def test_paths_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    assert "there is no such file or folder" in failing(tmp_path / "nowhere.txt")
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere.txt")
    assert "the file cannot be read: No such file" in failing(tmp_path / "dangling.txt")
    (tmp_path / "empty.zip").touch()
    assert "it cannot be unpacked" in failing(tmp_path / "empty.zip")


def test_parquet_is_read_from_archives_too(tmp_path: Path) -> None:
    data = REGISTRY.find("reader", parse_one("parquet")).component.example()  # pyright: ignore[reportAttributeAccessIssue]
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.parquet", data)
    (tmp_path / "c.parquet.gz").write_bytes(gzip.compress(data))
    assert (
        read(tmp_path / "a.zip")
        == read(tmp_path / "c.parquet.gz")
        == {"One": ["A text.", "Another."], "Two": ["It is so."]}
    )


def test_articles_that_are_not_read_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": ""}\n{"text": "b"}\n')
    found = reading()
    assert [article.title[-1] for _, article in found.articles([tmp_path])] == ["1", "3"]
    assert list(found.notes()) == ["1 articles without text were left out"]


def test_a_reader_whose_library_is_missing_is_no_matter_to_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "selectolax.lexbor", None)
    (tmp_path / "a.txt").write_text("a")
    assert read(tmp_path) == {f"{tmp_path}/a.txt": ["a"]}
    (tmp_path / "b.html").write_text("b")
    assert "pip install 'lvmcore[text]'" in failing(tmp_path)


def test_titles_and_texts_hold_nothing_that_acts_on_a_terminal() -> None:
    bad = "a\x1b[1;31mb\x1b]0;t\x07c\x9b2Jd\u202ee\x00f\x85g\rh\r\ni\tj\x7f\ufeffk\ud800l"
    assert clean(bad) == "abcdef\ng\nh\ni\tjk\ufffdl"
    assert clean_title(bad) == "abcdef g h i jk\ufffdl"
    article = Article(bad, iter([bad, "\x1b[0m ", "", "b "]))
    assert (article.title, list(article.paragraphs)) == (clean_title(bad), [clean(bad), "b "])
    assert clean("Ünïcödé 漢字 \U0001f600 \u200d\u200f\n\t") == "Ünïcödé 漢字 \U0001f600 \u200d\u200f\n\t"
    assert Source("\x1b[2Ja\nb", io.BytesIO).name == "a b"
    assert "\x1b" not in str(LvmError("\x1b[2J", where="\x1b[2J"))
