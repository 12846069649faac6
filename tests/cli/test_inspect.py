"""lvm data inspect: tables, JSON and a picture; mistakes are told before any work is done."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Lvm, MakeCorpus

from lvmcore.data.corpus import CorpusInfo
from lvmcore.data.store.writing import save_corpus

QUICK = ("--resamples", "20")


def test_every_table_and_the_verdict_are_printed(lvm: Lvm, make_corpus: MakeCorpus) -> None:
    file = make_corpus(articles=60, rows=14)
    printed = lvm("data", "inspect", file, *QUICK).stdout
    for said in (
        "cosine of neighbours", "j = 9", "rows with a copy in", "predictability", "a doubling adds", "copy-last",
        "oracle", "note: val holds 10 articles", "signal was found", "Margins:",
    ):  # fmt: skip
        assert said in printed, said


def test_the_document_is_whole_and_estimates_have_one_shape(lvm: Lvm, make_corpus: MakeCorpus) -> None:
    document = json.loads(lvm("data", "inspect", make_corpus(articles=60), "--json", *QUICK).stdout)
    assert (document["schema"], document["kind"], document["dim"]) == (1, "inspection", 16)
    assert document["splits"]["train"] == {
        "articles": 40, "chunks": 480, "windows": 280, "lengths": document["splits"]["train"]["lengths"]
    }  # fmt: skip
    assert set(document["signal"]["asymmetry"]) == {"value", "low", "high"}
    assert set(document["signal"]["forwards"]["levels"]) == {"average", "smoothed", "linear", "reference"}
    assert len(document["neighbours"]["lags"]) == 10
    assert document["verdict"]
    assert document["plan"]["windows"] == 60_000


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_drawn(lvm: Lvm, make_corpus: MakeCorpus, tmp_path: Path, suffix: str, begins: bytes) -> None:
    lvm("data", "inspect", make_corpus(articles=24), "--plot", f"seen.{suffix}", *QUICK)
    assert (tmp_path / f"seen.{suffix}").read_bytes().startswith(begins)


def test_a_picture_of_what_cannot_be_told(lvm: Lvm, tmp_path: Path) -> None:
    """No validation article, rows of one article, and a name that is neither a formula nor fit for a terminal."""
    rows = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    info = CorpusInfo(name="a $x_ name\x1b[31m of {mine}")
    save_corpus(tmp_path / "one.safetensors", rows, np.array([0, 9]), np.array([0]), info)
    told = lvm("data", "inspect", "one.safetensors", "--plot", "one.png", *QUICK)
    assert "It can't be told whether there is a forward signal" in told.stdout
    assert "\x1b" not in told.stdout + told.stderr
    assert (tmp_path / "one.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.safetensors",), "there is no such corpus"),
        (("wikki",), "did you mean 'wiki'"),
        (("small.safetensors", "--plot", "seen.doc"), "no picture can be written as 'seen.doc'"),
        (("small.safetensors", "--plot", "seen"), "a name that ends in"),
        (("small.safetensors", "--near", "1.5"), "1.5"),
        (("small.safetensors", "--split", "train"), "train"),
        (("small.safetensors", "--baseline", "filtr"), "did you mean 'filter'"),
    ],
)
def test_mistakes_are_told(lvm: Lvm, small: Path, words: tuple[str, ...], said: str) -> None:
    assert said in lvm("data", "inspect", *words, status=2).stderr


def test_a_picture_needs_the_extra(lvm: Lvm, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    told = lvm("data", "inspect", small, "--plot", "seen.png", status=2)
    assert "pip install 'lvmcore[report]'" in told.stderr
