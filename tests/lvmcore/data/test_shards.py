"""Several files as one corpus."""

from __future__ import annotations

import hashlib
import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Lvm
from hypothesis import given
from hypothesis import strategies as st

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.open import open_corpus
from lvmcore.data.store.joined import Joined
from lvmcore.data.store.shards import open_manifest, save_manifest
from lvmcore.data.store.writing import save_corpus
from lvmcore.errors import LvmError
from lvmcore.registry import Registry

LENGTHS = ([9, 12, 8], [30], [7, 10])
SPLITS = ([0, 1, 2], [0], [1, 0])


def vectors(count: int, seed: int, width: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float16)


def write(folder: Path, number: int, rows: np.ndarray | None = None, **about: Any) -> Path:
    lengths = LENGTHS[number]
    titles = tuple(f"{number}.{i}" for i in range(len(lengths)))
    info = CorpusInfo(**{"name": f"part-{number}", "titles": titles, "encoder": "one", **about})
    path = folder / f"part-{number}.safetensors"
    rows = vectors(sum(lengths), number) if rows is None else rows
    texts = [f"text {number}.{i}" for i in range(len(rows))]
    save_corpus(path, rows, np.cumsum([0, *lengths]), np.array(SPLITS[number]), info, texts)
    return path


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    return [write(tmp_path, number) for number in range(3)]


@pytest.fixture
def whole(tmp_path: Path) -> Corpus:
    """The same in one file."""
    rows = np.concatenate([vectors(sum(lengths), number) for number, lengths in enumerate(LENGTHS)])
    path = tmp_path / "all" / "whole.safetensors"
    save_corpus(path, rows, np.cumsum([0, *chain(*LENGTHS)]), np.array([*chain(*SPLITS)]), CorpusInfo(name="whole"))
    return Corpus.open(path)


def test_a_pattern_and_a_manifest_hold_what_one_file_holds(
    shards: list[Path], whole: Corpus, tmp_path: Path, registry: Registry
) -> None:
    digest = save_manifest(tmp_path / "mine.json", shards)
    by_pattern = open_corpus(str(tmp_path / "part-*.safetensors"), registry)
    by_manifest = open_corpus(str(tmp_path / "mine.json"), registry)
    assert (by_pattern.info.name, by_manifest.info.name) == ("part", "mine")
    for corpus in (by_pattern, by_manifest):
        assert corpus.digest == corpus.verify() == digest
        assert (len(corpus), corpus.dim) == (len(whole), whole.dim)
        assert (corpus.starts.tolist(), corpus.splits.tolist()) == (whole.starts.tolist(), whole.splits.tolist())
        index = torch.randint(len(whole), (5, 7), generator=torch.Generator().manual_seed(0))
        assert torch.equal(corpus.rows(index), whole.rows(index))
        assert torch.equal(corpus.vectors[20:45], torch.as_tensor(whole.vectors[20:45]))
        for split in ("train", "val", "ood"):
            windows, expected = corpus.windows(split), whole.windows(split)
            assert torch.equal(windows.targets[:], expected.targets[:])
            there = torch.arange(len(windows))
            assert torch.equal(windows.take(there).future(3)[0], expected.take(there).future(3)[0])
        assert corpus.info.titles == ("0.0", "0.1", "0.2", "1.0", "2.0", "2.1")
        assert corpus.texts is not None
        texts = [f"text {number}.{i}" for number, lengths in enumerate(LENGTHS) for i in range(sum(lengths))]
        assert list(corpus.texts) == texts
        assert corpus.texts.take([75, 0, 30, 2]) == [texts[75], texts[0], texts[30], texts[2]]


def test_the_digest_is_that_of_the_digests(shards: list[Path], tmp_path: Path) -> None:
    digests = [Corpus.open(path).digest for path in shards]
    expected = hashlib.sha256("\n".join(["shards", *digests, ""]).encode()).hexdigest()
    assert save_manifest(tmp_path / "mine.json", shards) == f"sha256:{expected}"
    assert save_manifest(tmp_path / "other.json", shards[::-1]) != f"sha256:{expected}"


def test_a_run_on_shards_is_the_run_on_one_file(shards: list[Path], whole: Corpus, tmp_path: Path, lvm: Lvm) -> None:
    words = ("run", "--arch", "amn", "--size", "toy", "--epochs", "2", "--quiet", "--json")
    found = [
        json.loads(lvm(*words, "--data", data).stdout) for data in (str(tmp_path / "part-*.safetensors"), whole.where)
    ]
    assert found[0]["evaluation"]["splits"] == found[1]["evaluation"]["splits"]
    assert found[0]["corpus"]["name"] == "part"


@given(
    sizes=st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(any),
    cut=st.slices(14),
    width=st.sampled_from([(), (2,)]),
    seed=st.integers(0, 9),
)
def test_joined_tensors_are_their_concatenation(
    sizes: list[int], cut: slice, width: tuple[int, ...], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    tensors = [torch.rand(size, *width, generator=generator) for size in sizes]
    joined, whole = Joined(tensors), torch.cat(tensors)
    assert (len(joined), joined.shape, joined.dtype) == (len(whole), whole.shape, whole.dtype)
    if (cut.step or 1) > 0:
        assert torch.equal(joined[cut], whole[cut])
    index = torch.randint(len(whole), (9,), generator=generator)
    assert torch.equal(joined.index_select(0, index), whole.index_select(0, index))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoder": "two"}, "the encoder is 'two', and 'one' in"),
        ({"weights": "sha256:0"}, "the weights is 'sha256:0'"),
        ({"rows": vectors(17, 2, width=7)}, "7 wide, stand beside rows of"),
        ({"rows": vectors(17, 2).astype(np.float32)}, "rows of torch.float32"),
    ],
)
def test_shards_that_do_not_fit_together_are_named(
    changes: dict[str, Any], said: str, shards: list[Path], tmp_path: Path, registry: Registry
) -> None:
    write(tmp_path, 2, **changes)
    with pytest.raises(LvmError, match=said) as caught:
        open_corpus(str(tmp_path / "part-*.safetensors"), registry)
    assert caught.value.where == str(shards[2])
    with pytest.raises(LvmError, match=said):
        save_manifest(tmp_path / "mine.json", shards)
    assert not (tmp_path / "mine.json").exists()


def test_a_shard_that_was_changed_since_is_named(shards: list[Path], tmp_path: Path) -> None:
    save_manifest(tmp_path / "mine.json", shards)
    write(tmp_path, 1, vectors(30, 7))
    with pytest.raises(LvmError, match="the shard is another than the one in the manifest") as caught:
        open_manifest(tmp_path / "mine.json")
    assert caught.value.where == str(shards[1])
    shards[1].unlink()
    with pytest.raises(LvmError, match="no such corpus"):
        open_manifest(tmp_path / "mine.json")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "5", "{}", '{"shards": 5}', '{"shards": []}', '{"shards": [{"file": "a"}]}']
)
def test_another_json_file_is_no_manifest(content: str, tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(LvmError, match=r"no manifest|names no shard"):
        open_corpus(str(tmp_path / "x.json"), registry)
    with pytest.raises(LvmError, match="No such file"):
        open_corpus(str(tmp_path / "none.json"), registry)


def test_a_pattern_without_a_file_and_a_shard_that_lies_elsewhere_are_named(
    shards: list[Path], tmp_path: Path, registry: Registry
) -> None:
    with pytest.raises(LvmError, match="no file matches the pattern"):
        open_corpus(str(tmp_path / "other-*.safetensors"), registry)
    with pytest.raises(LvmError, match="lies elsewhere"):
        save_manifest(tmp_path / "below" / "mine.json", shards)


def test_a_manifest_is_written_by_a_command_and_never_over_a_shard(
    shards: list[Path], tmp_path: Path, lvm: Lvm
) -> None:
    manifest = str(tmp_path / "mine.json")
    words = ("data", "shards", *map(str, shards))
    assert "76 chunks of width 6 in 6 articles" in lvm(*words, "-o", manifest).stdout
    assert "exists already" in lvm(*words, "-o", manifest, status=2).stderr
    lvm(*words, "-o", manifest, "--force")
    assert "a .json file" in lvm(*words, "-o", str(tmp_path / "x.safetensors"), status=2).stderr
    shown = lvm("data", "show", manifest, "--verify").stdout
    assert "76 chunks" in shown
    assert "verified" in shown
    split = lvm("data", "split", manifest, "-o", manifest, "--force", status=2).stderr
    assert split.startswith("lvm: ")
    assert [Corpus.open(path).digest for path in shards] == [one["digest"] for one in read(manifest)]


def read(manifest: str) -> list[dict[str, Any]]:
    return json.loads(Path(manifest).read_text())["shards"]
