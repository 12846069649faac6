"""lvm data build, from the command line to the counts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Lvm

from lvmcore.data.corpus import Corpus

TEXT = "\n\n".join(f"This is paragraph {i}, which says {i * i} and {i * 7919 % 1000}." for i in range(200))
PLAIN = ("--encoder", "hash", "--chunker", "words:10")

SLOW = """
import time
import lvmcore
import lvm_encoders.hashed as hashed
own = hashed.HashEncoding.encode
def encode(self, texts):
    print("here", flush=True)
    time.sleep(1)  # a signal is heeded where nothing is half done
    return own(self, texts)
hashed.HashEncoding.encode = encode
@lvmcore.hookimpl
def lvm_readers():
    return []
"""


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.txt").write_text("\n\n".join(f"{i} {line}" for line in TEXT.split("\n\n")[i * 30 :][:30]))
    return Path("texts")


def test_a_build_prints_what_it_dropped_and_what_it_made(lvm: Lvm, texts: Path) -> None:
    (texts / "copy.txt").write_text((texts / "0.txt").read_text())
    said = lvm("data", "build", "mine", texts, *PLAIN, "--ood", "5.txt", "--licence", "CC0").stdout
    assert "note: 1 article dropped, the same as an earlier one; the longest is 'texts/copy.txt'" in said
    assert "mine.safetensors: 180 chunks of width 64 in 6 articles" in said
    assert re.search(r"train \d articles with \d+ windows, val 1 articles .*, ood 1 articles", said)
    corpus = Corpus.open(Path("mine.safetensors"))
    assert corpus.digest in said
    assert corpus.info.licence == "CC0"
    assert lvm("data", "build", "mine", texts, *PLAIN, "--ood", "5.txt", "--quiet", "--force").stdout == ""
    lvm("run", "--arch", "amn", "--size", "toy", "--epochs", "1", "--data", "mine.safetensors", "--quiet")


def test_a_dry_run_counts_and_writes_nothing(lvm: Lvm, texts: Path, tmp_path: Path) -> None:
    said = lvm("data", "build", "mine", texts, *PLAIN, "--dry-run").stdout
    assert "6 files, 6 articles, 180 chunks" in said
    assert re.search(r"encoding\s+about \d+ s here", said)
    assert [path.name for path in tmp_path.iterdir()] == ["texts"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "no such file or folder"),
        (("texts", "--encoder", "hush"), "did you mean 'hash'"),
        (("texts", "--split", "80/20"), "no shares"),
        (("texts", "--ood", "books/*"), "matches no article"),
        (("texts", "--least", "1000"), "no article stays of 6 files with 6 articles"),
    ],
)
def test_mistakes_are_said_in_one_shape(lvm: Lvm, texts: Path, words: tuple[str, ...], said: str) -> None:
    error = lvm("data", "build", "mine", *words, *(PLAIN if "--encoder" not in words else ()), status=2).stderr
    assert said in error
    assert not Path("mine.safetensors").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_stopped_build_says_the_command_that_goes_on(texts: Path, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ["data", "build", "mine", str(texts), *PLAIN]
    with subprocess.Popen(
        [sys.executable, "-m", "lvmcore", *words, "--plugin", "slow.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        # a shell's background job ignores SIGINT, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    ) as process:
        assert process.stdout is not None
        assert "here\n" in process.stdout  # reads up to it
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "stopped; what was done is kept" in said
    assert f"data build mine {texts} --encoder hash --chunker words:10 --plugin slow.py goes on from there" in said
    assert [path.name for path in tmp_path.glob(".mine*")] == [".mine.building"]
    again = subprocess.run([sys.executable, "-m", "lvmcore", *words], cwd=tmp_path, check=False, capture_output=True)
    assert again.returncode == 0, again.stderr
    assert not list(tmp_path.glob(".mine*"))


def test_killed_at_random_moments_it_makes_the_same_file(tmp_path: Path) -> None:
    """The benchmark with few kills; anyone may run it with more."""
    soak = Path(__file__).resolve().parents[2] / "benchmarks" / "build_kills.py"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(soak), "--kills", "4", "--words", "60000", "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"4 kills .* every corpus and its texts the same", done.stdout), done.stdout
    assert time.monotonic() - began < 300


def test_every_default_of_the_command_is_that_of_a_recipe() -> None:
    from lvm_cli.data.build import command
    from lvmcore.building.recipe import Recipe

    asked = command.make_context("build", ["mine", "texts"]).params
    plain = Recipe()
    names = [name for name in Recipe.__slots__ if not name.startswith("_")]
    assert len(names) >= 15
    assert {name: asked[name] for name in names} == {name: getattr(plain, name) for name in names}
