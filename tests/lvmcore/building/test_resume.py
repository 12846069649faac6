"""A build that is ended at any moment goes on from there, and makes the very file that it would have made."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from material import Builder, contents, folder_of, words, write

from lvmcore.building import encoding, reading
from lvmcore.building.build import working_folder
from lvmcore.building.work import Work
from lvmcore.errors import LvmError, MachineError
from lvmcore.registry import Registry


@pytest.fixture
def build(tmp_path: Path, registry: Registry) -> Builder:
    return Builder(tmp_path, registry)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 60)
    monkeypatch.setattr(encoding, "BLOCK", 30)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Short articles, one that is longer than a block, several in a packed file, and a file that breaks off."""
    folder = write(folder_of(tmp_path, 6), {"00b.txt": words(70, 700), "00c.txt": words(0, 120)})
    lines = [json.dumps({"title": f"line {i}", "text": words(80 + i, 90)}) for i in range(7)]
    (folder / "03b.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    broken = gzip.compress("\n\n".join(words(90 + i, 300) for i in range(60)).encode())
    (folder / "04b.txt.gz").write_bytes(broken[: 2 * len(broken) // 3])
    return folder


@pytest.fixture
def whole(build: Builder, texts: Path, tmp_path: Path) -> tuple[bytes, bytes]:
    """What a build makes that nothing ends."""
    build(texts)
    made = contents(tmp_path)
    for path in tmp_path.glob("mine.*"):
        path.unlink()
    return made


class Ending:
    """Lets `os.fsync` pass so many times, and then ends the program or fills the disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, problem: Callable[[], BaseException]) -> None:
        self.left, self.problem, self._flush = 10**9, problem, os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, handle: Any) -> None:
        if self.left <= 0:
            raise self.problem()
        self.left -= 1
        self._flush(handle)


@pytest.mark.parametrize(
    ("problem", "error"),
    [(lambda: OSError(errno.ENOSPC, "No space left on device"), MachineError), (KeyboardInterrupt, KeyboardInterrupt)],
    ids=["full disk", "Ctrl-C"],
)
def test_ended_wherever_it_writes_it_goes_on_to_the_same_file(
    build: Builder,
    texts: Path,
    tmp_path: Path,
    whole: tuple[bytes, bytes],
    monkeypatch: pytest.MonkeyPatch,
    problem: Callable[[], BaseException],
    error: type[BaseException],
) -> None:
    ending = Ending(monkeypatch, problem)
    for passed in range(0, 99, 3):
        ending.left = passed
        try:
            build(texts)
            break
        except error as found:
            said = str(found)
        assert error is KeyboardInterrupt or "No space left" in said
        assert build.left == ([".mine.building"] if passed or error is MachineError else [])
        ending.left = 10**9
        build(texts)
        assert contents(tmp_path) == whole
        assert build.left == ["mine.safetensors", "mine.texts.jsonl"]
        for path in tmp_path.glob("mine.*"):
            path.unlink()
    assert passed > 15


def test_ended_again_and_again_it_still_comes_to_its_end(
    build: Builder, texts: Path, tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = Ending(monkeypatch, KeyboardInterrupt)
    ended = 0
    while not (tmp_path / "mine.safetensors").exists():
        ending.left = 2 if ended < 20 else 8  # the corpus and its texts are written in one go
        try:
            build(texts)
        except KeyboardInterrupt:
            ended += 1
    assert ended > 5
    assert contents(tmp_path) == whole


def test_a_full_database_is_a_fault_of_the_machine_and_loses_nothing(
    build: Builder, texts: Path, tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Work.__init__

    def small(work: Work, path: Path) -> None:
        begin(work, path)
        work.db.execute("PRAGMA max_page_count = 14")

    with monkeypatch.context() as patched:
        patched.setattr(Work, "__init__", small)
        with pytest.raises(MachineError, match="full"):
            build(texts)
    build(texts)
    assert contents(tmp_path) == whole


def test_what_was_encoded_is_not_encoded_again(
    build: Builder, texts: Path, tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    encoded = encoding.encoded

    def counted(by: Any, block: list[str]) -> Any:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(len(block))
        return encoded(by, block)

    monkeypatch.setattr(encoding, "encoded", counted)
    with pytest.raises(KeyboardInterrupt):
        build(texts)
    seen[:] = [0, 0]  # one more is let through
    with pytest.raises(KeyboardInterrupt):
        build(texts)
    assert seen[2:] == [30]
    assert len(list(working_folder(tmp_path / "mine.safetensors").glob("blocks/*.npy"))) == 4
    monkeypatch.setattr(encoding, "encoded", encoded)
    build(texts)
    assert contents(tmp_path) == whole


def test_a_block_is_never_used_for_other_texts(
    build: Builder, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = build(texts, name="plain", least=11)
    with monkeypatch.context() as patched:
        patched.setattr("lvmcore.building.build.save_corpus", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build(texts)
    corpus = build(texts, least=11)  # what is dropped may be asked for otherwise; what was read is not read again
    assert corpus.digest == plain.digest


def test_a_damaged_block_is_encoded_again(
    build: Builder, texts: Path, tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("lvmcore.building.build.save_corpus", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build(texts)
    for block in working_folder(tmp_path / "mine.safetensors").glob("blocks/*.npy"):
        block.write_bytes(block.read_bytes()[:-1])
    build(texts)
    assert contents(tmp_path) == whole


def test_killed_between_the_corpus_and_the_removal_of_its_folder_it_is_done(
    build: Builder, texts: Path, tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def ended(last: str, source: Path, target: Path) -> None:
        replace(source, target)
        if target == tmp_path / last:
            raise KeyboardInterrupt

    for last in ("mine.texts.jsonl", "mine.safetensors"):
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", partial(ended, last))
            with pytest.raises(KeyboardInterrupt):
                build(texts)
        build(texts)  # the corpus is its own, so that no --force is asked for
        assert contents(tmp_path) == whole
        assert build.left == ["mine.safetensors", "mine.texts.jsonl"]
        for path in tmp_path.glob("mine.*"):
            path.unlink()


@pytest.fixture
def unfinished(build: Builder, texts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a build that ended while it encoded."""
    with monkeypatch.context() as patched:
        patched.setattr(encoding, "encoded", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build(texts)
    return working_folder(build.place / "mine.safetensors")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"chunker": "words:12"}, "chunker 'words,count=10', not 'words,count=12'"),
        ({"encoder": "hash:32"}, "encoder 'hash,dim=64 .*', not 'hash,dim=32 .*'"),
        ({"reader": "text"}, "reader 'by suffix', not 'text'"),
    ],
)
def test_other_options_than_it_was_begun_with_are_an_error_that_shows_both(
    build: Builder, texts: Path, unfinished: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(LvmError) as error:
        build(texts, **options)
    assert error.match("begun otherwise")
    assert re.search(said, error.value.expected or "")
    assert unfinished.exists()
    again = build(texts, restart=True, **options)
    assert again.digest == build(texts, name="other", **options).digest


def test_other_files_than_it_was_begun_with_are_an_error_that_shows_both(
    build: Builder, texts: Path, unfinished: Path
) -> None:
    with pytest.raises(LvmError, match="begun otherwise"):
        build(texts, texts / "00.txt")
    (texts / "01.txt").write_text(words(5, 70))
    with pytest.raises(LvmError, match="no longer those") as error:
        build(texts)
    assert "01.txt' of " in (error.value.expected or "")
    (texts / "01.txt").unlink()
    with pytest.raises(LvmError, match="no longer those") as error:
        build(texts)
    assert "there is '" in (error.value.expected or "")
    assert "02.txt" in (error.value.expected or "")
    assert f"{texts}/01.txt" not in build(texts, restart=True).info.titles


def test_two_builds_of_one_corpus_do_not_meet(build: Builder, texts: Path, unfinished: Path) -> None:
    with Work(unfinished), pytest.raises(LvmError, match="another process is building"):
        build(texts)
    build(texts)


def test_a_folder_that_must_not_be_written_is_a_fault_of_the_machine(
    build: Builder, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MachineError, match=r"cannot go on: (Not a directory|File exists)"):
        build(texts, name="texts/00.txt/mine")

    def forbidden(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "mine")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(MachineError, match="Permission denied"):
        build(texts)
    assert build.left == []
