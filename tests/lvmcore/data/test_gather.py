"""Corpora joined, divided anew, and described."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from conftest import Lvm, MakeCorpus

from lvmcore.corpora import Corpora
from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.forms.doors import WRITTEN
from lvmcore.data.store.writing import save_corpus
from lvmcore.errors import LvmError
from lvmcore.registry import Registry


def lab(notes: list[str] | None = None) -> Corpora:
    return Corpora(cast(Registry, None), (notes if notes is not None else []).append)


def make(path: Path, texts: bool = True, titles: str = "abcdef", dtype: type = np.float16, **about: str) -> Path:
    vectors = np.random.default_rng(len(path.name)).normal(size=(48, 4)).astype(dtype)
    info = CorpusInfo(name=path.stem, titles=tuple(titles), **about)
    said = [f"{path.stem} {row}" for row in range(48)] if texts else None
    save_corpus(path, vectors, np.arange(0, 49, 8), np.array([0, 0, 0, 1, 1, 2]), info, said)
    return path


def test_joined_corpora_are_one_after_the_other_and_each_article_says_where_from(tmp_path: Path) -> None:
    parts = [make(tmp_path / "one.safetensors"), make(tmp_path / "three.safetensors", titles="ghijkl")]
    whole = lab().join(parts, tmp_path / "both.safetensors")
    one, other = map(Corpus.open, parts)
    np.testing.assert_array_equal(whole.vectors[:].numpy(), np.concatenate([one.vectors[:], other.vectors[:]]))
    assert whole.starts.tolist() == [*one.starts.tolist(), *(other.starts[1:] + 48).tolist()]
    assert whole.splits.tolist() == [0, 0, 0, 1, 1, 2] * 2
    assert whole.info.titles == tuple("abcdefghijkl")
    assert whole.info.sources == ("one",) * 6 + ("three",) * 6
    assert whole.info.name == "both"
    assert whole.texts is not None
    assert list(whole.texts) == [f"{name} {row}" for name in ("one", "three") for row in range(48)]
    again = lab().join([whole, make(tmp_path / "x.safetensors")], tmp_path / "all.safetensors")
    assert again.info.sources == ("one",) * 6 + ("three",) * 6 + ("x",) * 6


def test_what_does_not_fit_together_is_said_and_nothing_is_written(tmp_path: Path, make_corpus: MakeCorpus) -> None:
    one, other = make(tmp_path / "one.safetensors", encoder="e5"), make(tmp_path / "two.safetensors", encoder="gtr")
    with pytest.raises(LvmError, match="of several encoders: e5, gtr") as caught:
        lab().join([one, other], tmp_path / "c.safetensors")
    assert "--force" in (caught.value.fix or "")
    with pytest.raises(LvmError, match="of several widths: 4 in one, 16 in small"):
        lab().join([one, make_corpus()], tmp_path / "c.safetensors", force=True)
    with pytest.raises(LvmError, match="one corpus alone cannot be joined"):
        lab().join([one], tmp_path / "c.safetensors")
    for over in (one, other):
        with pytest.raises(LvmError, match="written over what it is made from"):
            lab().join([one, other], over, force=True)
    assert not (tmp_path / "c.safetensors").exists()
    assert lab().join([one, other], tmp_path / "c.safetensors", force=True).info.encoder == "e5 + gtr"


def test_what_joined_corpora_share_and_lack_is_said(tmp_path: Path) -> None:
    notes: list[str] = []
    one = make(tmp_path / "one.safetensors")
    other = make(tmp_path / "two.safetensors", texts=False, titles="azyxwv", dtype=np.float32)
    whole = lab(notes).join([one, other], tmp_path / "c.safetensors")
    assert whole.texts is None
    assert "1 titles stand in more than one of them, such as 'a'" in notes
    assert "the texts were left out, since two has none" in notes
    assert "float16 and float32 vectors were stored as float32" in notes


def test_splits_drawn_again_change_nothing_else_and_another_article_moves_none(tmp_path: Path) -> None:
    one = make(tmp_path / "one.safetensors", licence="CC0")
    before = Corpus.open(one)
    drawn = lab().split(one, tmp_path / "c.safetensors", "60/20/20", seed=3)
    np.testing.assert_array_equal(drawn.vectors[:].numpy(), before.vectors[:].numpy())
    assert (drawn.info.name, drawn.info.licence, drawn.info.titles) == ("one", "CC0", tuple("abcdef"))
    assert drawn.texts is not None
    assert before.texts is not None
    assert list(drawn.texts) == list(before.texts)
    more = lab().join([one, make(tmp_path / "more.safetensors", titles="ghijkl")], tmp_path / "more12.safetensors")
    later = lab().split(more, tmp_path / "d.safetensors", "60/20/20", seed=3)
    assert (
        sum(a != b for a, b in zip(drawn.splits.tolist(), later.splits.tolist(), strict=False)) <= 1
    )  # a split filled
    assert lab().split(one, tmp_path / "e.safetensors", "60/20/20", seed=3).digest == drawn.digest


def test_splits_go_by_pattern_and_by_source(tmp_path: Path) -> None:
    both = [make(tmp_path / "one.safetensors"), make(tmp_path / "two.safetensors", titles="ghijkl")]
    lab().join(both, tmp_path / "both.safetensors")
    by_pattern = lab().split(tmp_path / "both.safetensors", tmp_path / "p.safetensors", val=["a"], ood=["two"])
    assert by_pattern.splits.tolist() == [1, 0, 0, 0, 0, 0] + [2] * 6
    by_source = lab().split(tmp_path / "both.safetensors", tmp_path / "s.safetensors", "50/50/0", by="source")
    assert {tuple(set(half)) for half in (by_source.splits.tolist()[:6], by_source.splits.tolist()[6:])} == {(0,), (1,)}
    with pytest.raises(LvmError, match="matches no article"):
        lab().split(tmp_path / "both.safetensors", tmp_path / "n.safetensors", ood=["none"])
    with pytest.raises(LvmError, match="the sources of the articles are not known"):
        lab().split(both[0], tmp_path / "n.safetensors", by="source")
    assert not (tmp_path / "n.safetensors").exists()


def test_shards_are_joined_divided_and_exported_as_one(tmp_path: Path) -> None:
    for number in range(3):
        make(tmp_path / f"part-{number}.safetensors", titles=f"{number}bcdef")
    parts = str(tmp_path / "part-*.safetensors")
    rows = np.concatenate([Corpus.open(tmp_path / f"part-{n}.safetensors").vectors[:].numpy() for n in range(3)])
    one = lab().split(parts, tmp_path / "one.safetensors")
    np.testing.assert_array_equal(one.vectors[:].numpy(), rows)
    assert one.texts is not None
    assert one.texts[50] == "part-1 2"
    for form in WRITTEN:
        file = tmp_path / f"{form}{WRITTEN[form][0]}"
        lab().export(parts, file, form)
        again = lab().import_(file, tmp_path / f"{form}.safetensors")
        np.testing.assert_array_equal(again.vectors[:].numpy(), rows)
    with pytest.raises(LvmError, match="written over what it is made from"):
        lab().split(parts, tmp_path / "part-1.safetensors", force=True)


def test_a_corpus_is_shown_without_reading_a_row_and_verified_if_asked(tmp_path: Path, lvm: Lvm) -> None:
    make(tmp_path / "one.safetensors", encoder="minilm", licence="CC0")
    shown = lvm("data", "show", "one.safetensors").stdout
    for part in ("48 chunks of width 4 (float16) in 6 articles", "minilm", "CC0", "a, b, c, d, e", "one 0", "sha256:"):
        assert part in shown, part
    told = json.loads(lvm("data", "show", "one.safetensors", "--json").stdout)
    assert told["splits"]["val"] == {"articles": 2, "rows": 16, "windows": 6}
    assert told["lengths"] == {"min": 8, "median": 8, "max": 8}
    assert told == {**lab().describe(tmp_path / "one.safetensors"), "where": "one.safetensors"}
    assert "verified" in lvm("data", "show", "one.safetensors", "--verify").stdout
    whole = (tmp_path / "one.safetensors").read_bytes()
    (tmp_path / "one.safetensors").write_bytes(whole[:-40] + b"\x01" + whole[-39:])
    lvm("data", "show", "one.safetensors")
    assert "do not match the digest" in lvm("data", "show", "one.safetensors", "--verify", status=2).stderr


def test_an_expression_is_shown_split_and_exported_like_a_file(lvm: Lvm, tmp_path: Path) -> None:
    world = "world,articles=12,length=10,dim=96"
    assert "120 chunks" in lvm("data", "show", world).stdout
    lvm("data", "split", world, "-o", "w.safetensors", "--split", "50/25/25")
    lvm("data", "export", "w.safetensors", "-o", "w.npz")
    lvm("data", "join", "w.safetensors", world, "-o", "j.safetensors", "--force")
    assert "240 chunks" in lvm("data", "show", "j.safetensors").stdout


def test_control_characters_of_a_header_never_reach_the_terminal(tmp_path: Path, lvm: Lvm) -> None:
    save_corpus(
        tmp_path / "c.safetensors",
        np.ones((2, 2), np.float32),
        np.array([0, 1, 2]),
        np.array([0, 0]),
        CorpusInfo(name="\x1b[31mn", licence="\x07", titles=("\x1b]0;x\x07a", "a"), sources=("\x1b[2J", "b")),
        ["\x9b31mtext", "b"],
    )
    for words in (("show",), ("show", "--json"), ("split", "-o", "d.safetensors"), ("export", "-o", "d.npz")):
        done = lvm("data", words[0], "c.safetensors", *words[1:])
        assert not set("\x1b\x07\x9b") & set(done.stdout + done.stderr), words
