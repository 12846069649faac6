"""The corpus file, its windows, and everything that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch
from conftest import MakeCorpus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.open import open_corpus
from lvmcore.data.store.contents import digest_of
from lvmcore.data.store.writing import save_corpus
from lvmcore.data.windows import SPLITS
from lvmcore.errors import LvmError
from lvmcore.registry import Registry

lengths = st.lists(st.integers(1, 14), min_size=1, max_size=8)


def in_memory(counts: list[int], splits: list[int], dim: int = 4) -> Corpus:
    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(sum(counts), dim)).astype(np.float32))
    starts = torch.tensor([0, *np.cumsum(counts).tolist()])
    return Corpus(vectors, starts, torch.tensor(splits, dtype=torch.uint8), CorpusInfo(name="memory"))


@given(counts=lengths, data=st.data())
def test_windows_are_those_of_a_plain_loop_and_never_cross_an_article(counts: list[int], data: st.DataObject) -> None:
    splits = data.draw(st.lists(st.integers(0, 2), min_size=len(counts), max_size=len(counts)))
    context = data.draw(st.integers(1, 6))
    corpus = in_memory(counts, splits)
    for number, split in enumerate(SPLITS):
        expected, start = [], 0
        for count, own in zip(counts, splits, strict=True):
            expected += [start + t for t in range(context, count)] if own == number else []
            start += count
        assert corpus.windows(split, context).targets[:].tolist() == expected


@given(counts=lengths)
def test_a_batch_holds_the_rows_of_a_plain_loop(counts: list[int]) -> None:
    corpus = in_memory(counts, [0] * len(counts))
    unit = corpus.vectors / corpus.vectors.norm(dim=1, keepdim=True)
    windows = corpus.windows("train", 3)
    if not len(windows):
        return
    batch = windows.take(torch.arange(len(windows)))
    future, there = batch.future(3)
    article_of = [a for a, count in enumerate(counts) for _ in range(count)]
    for i, row in enumerate(windows.targets[:].tolist()):
        torch.testing.assert_close(batch.target[i], unit[row])
        torch.testing.assert_close(batch.context[i], unit[row - 3 : row])
        for h in (1, 2, 3):
            inside = row + h < len(corpus) and article_of[row + h] == article_of[row]
            assert bool(there[i, h - 1]) is inside
            if inside:
                torch.testing.assert_close(future[i, h - 1], unit[row + h])


@given(counts=lengths, offset=st.integers(-8, 8))
def test_a_row_at_an_offset_is_that_of_the_same_article_or_said_to_be_missing(counts: list[int], offset: int) -> None:
    corpus = in_memory(counts, [0] * len(counts))
    article_of = [a for a, count in enumerate(counts) for _ in range(count)]
    windows = corpus.windows("train", 2)
    if not len(windows):
        return
    rows, there = windows.take(torch.arange(len(windows))).at(offset)
    for i, target in enumerate(windows.targets[:].tolist()):
        row = target + offset
        inside = 0 <= row < len(corpus) and article_of[row] == article_of[target]
        assert bool(there[i]) is inside
        expected = corpus.vectors[row if inside else target]  # another row is the target's own
        torch.testing.assert_close(rows[i], expected / expected.norm())


def test_rows_of_the_article_are_all_its_rows_outside_of_the_window_and_no_others() -> None:
    corpus = in_memory([9, 6, 7, 20], [0, 0, 1, 0])
    windows = corpus.windows("train")
    batch = windows.take(torch.arange(len(windows)))
    unit = corpus.vectors / corpus.vectors.norm(dim=1, keepdim=True)
    torch.manual_seed(0)
    rows, there = batch.article_rows(400)
    assert rows.shape == (len(windows), 400, 4)
    for i, target in enumerate(windows.targets[:].tolist()):
        article = int(corpus.article_of[target])
        start, end = corpus.starts[article : article + 2].tolist()
        expected = {row for row in range(start, end) if not target - 5 <= row <= target}
        assert set(there[i].tolist()) == {bool(expected)}
        found = (rows[i][:, None] - unit).abs().sum(-1).argmin(-1)
        assert set(found.tolist()) == (expected or {target})


def test_candidates_are_all_rows_of_the_articles_of_a_batch_but_those_of_the_window() -> None:
    corpus = in_memory([9, 6, 7, 20], [0, 0, 0, 0])
    windows = corpus.windows("train")
    unit = corpus.vectors / corpus.vectors.norm(dim=1, keepdim=True)
    chosen = torch.tensor([len(windows) - 1, 0, 4, 4, len(windows) - 15])  # of three articles, in no order
    rows, others = windows.take(chosen).candidates()
    held = [*range(15), *range(22, 42)]
    torch.testing.assert_close(rows, unit[held])
    for i, target in enumerate(windows.targets[chosen].tolist()):
        start, end = corpus.starts[int(corpus.article_of[target]) :][:2].tolist()
        expected = [start <= row < end and not target - 5 <= row <= target for row in held]
        assert others[i].tolist() == expected


def test_rows_of_the_article_are_drawn_by_the_seed() -> None:
    windows = in_memory([30, 30], [0, 0]).windows("train")
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append(windows.take(torch.arange(10)).article_rows(8)[0])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_batches_in_order_hold_every_window_once(corpus: Corpus) -> None:
    batches = list((windows := corpus.windows("train")).batches(9))
    assert torch.cat([batch.targets for batch in batches]).tolist() == windows.targets[:].tolist()
    assert {len(batch.targets) for batch in batches[:-1]} == {9}


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="the system does not list its mappings")
def test_the_vectors_stay_in_the_file_in_their_own_precision(make_corpus: MakeCorpus) -> None:
    file = make_corpus("mapped", articles=60, rows=40)
    corpus = Corpus.open(file)
    assert corpus.vectors.dtype == torch.float16
    mapped = [
        tuple(int(end, 16) for end in line.split()[0].split("-"))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(file))
    ]
    assert any(low <= corpus.vectors.data_ptr() < high for low, high in mapped)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=lengths, dtype=st.sampled_from([np.float16, np.float32]), seed=st.integers(0, 9))
def test_a_corpus_survives_being_written_and_read(tmp_path: Path, counts: list[int], dtype: type, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(sum(counts), 5)).astype(dtype)
    starts, splits = np.concatenate([[0], np.cumsum(counts)]), random.integers(0, 3, len(counts))
    info = CorpusInfo(name="é", titles=tuple(f"title {i}" for i in range(len(counts))), licence="none")
    digest = save_corpus(tmp_path / "c.safetensors", vectors, starts, splits, info)
    corpus = Corpus.open(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(corpus.vectors.numpy(), vectors)
    assert (corpus.starts.tolist(), corpus.splits.tolist()) == (starts.tolist(), splits.tolist())
    assert (corpus.info.name, corpus.info.titles, corpus.digest) == ("é", info.titles, digest)


def test_the_digest_is_of_the_contents_and_not_of_the_texts_about_them(tmp_path: Path) -> None:
    vectors = np.ones((6, 2), np.float16)
    save = lambda name, **about: save_corpus(  # noqa: E731
        tmp_path / f"{name}.safetensors", vectors, np.array([0, 6]), np.array([0]), CorpusInfo(name=name, **about)
    )
    assert save("one") == save("two", licence="other")
    vectors[3, 1] = 2
    assert save("three") != digest_of(np.ones((6, 2), np.float16), np.array([0, 6]), np.array([0], np.uint8))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("splits", [256, 0]),
        ("splits", [-1, 0]),
        ("splits", [0.5, 1.0]),
        ("splits", ["train", "val"]),
        ("starts", [0.0, 3, 6]),
    ],
)
def test_numbers_that_would_change_in_the_file_are_refused(name: str, values: list[Any], tmp_path: Path) -> None:
    arrays = {"starts": np.array([0, 3, 6]), "splits": np.array([0, 1]), name: np.array(values)}
    with pytest.raises(LvmError, match=f"{name} are"):
        save_corpus(tmp_path / "c.safetensors", np.ones((6, 2), np.float16), info=CorpusInfo(name="c"), **arrays)
    assert not list(tmp_path.iterdir())


def test_rows_have_unit_norm(corpus: Corpus) -> None:
    norms = corpus.rows(torch.arange(len(corpus))).double().norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms), atol=1e-6, rtol=0)


def test_a_missing_or_truncated_file_is_named(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    with pytest.raises(LvmError, match="no such corpus"):
        Corpus.open(tmp_path / "none.safetensors")
    whole = make_corpus().read_bytes()
    for cut in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        broken = tmp_path / "cut.safetensors"
        broken.write_bytes(whole[:cut])
        with pytest.raises(LvmError, match="truncated") as caught:
            Corpus.open(broken)
        assert caught.value.where == str(broken)


def test_a_corpus_that_may_not_be_read_gets_its_true_reason(
    small: Path, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("folder", "folder.safetensors"):
        (tmp_path / name).mkdir()
        with pytest.raises(LvmError, match="the corpus cannot be read: Is a directory\n") as caught:
            open_corpus(str(tmp_path / name), registry)
        assert caught.value.where == str(tmp_path / name)

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(small))

    with monkeypatch.context() as patched:
        patched.setattr("os.open", refuse)
        with pytest.raises(LvmError, match="the corpus cannot be read: Permission denied\n"):
            Corpus.open(small)

    def vanish(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError(f"No such file or directory: {small}")

    monkeypatch.setattr("safetensors.safe_open", vanish)  # between the two looks at it
    with pytest.raises(LvmError, match="there is no such corpus\n"):
        Corpus.open(small)


def test_another_safetensors_file_is_no_corpus(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"weights": np.ones(3)}, path)
    with pytest.raises(LvmError, match="lacks splits, starts, vectors"):
        Corpus.open(path)


@pytest.mark.parametrize("shape", [(), (6,), (6, 4, 1)])
@pytest.mark.parametrize("name", ["vectors", "starts", "splits"])
def test_tensors_of_other_shapes_are_named(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    good = {"vectors": np.ones((6, 4), np.float32), "starts": np.array([0, 6]), "splits": np.zeros(1, np.uint8)}
    bad = {**good, name: np.ones(shape, good[name].dtype)}
    safetensors.numpy.save_file(bad, tmp_path / "c.safetensors")
    with pytest.raises(LvmError, match="the corpus is malformed") as caught:
        Corpus.open(tmp_path / "c.safetensors")
    assert name in caught.value.what


@pytest.mark.parametrize("dtype", [np.float64, np.int16])
def test_vectors_of_another_type_are_named(dtype: type, tmp_path: Path) -> None:
    arrays = {"vectors": np.ones((6, 4), dtype), "starts": np.array([0, 6]), "splits": np.zeros(1, np.uint8)}
    safetensors.numpy.save_file(arrays, tmp_path / "c.safetensors")
    with pytest.raises(LvmError, match="not \\(N, D\\) float16 or float32"):
        Corpus.open(tmp_path / "c.safetensors")


@pytest.mark.parametrize("header", ["{", "null", "[]", '{"titles": 5}'])
def test_a_header_that_cannot_be_read_is_named(header: str, tmp_path: Path) -> None:
    arrays = {"vectors": np.ones((6, 4), np.float32), "starts": np.array([0, 6]), "splits": np.zeros(1, np.uint8)}
    safetensors.numpy.save_file(arrays, tmp_path / "c.safetensors", {"lvm": header})
    with pytest.raises(LvmError, match="header"):
        Corpus.open(tmp_path / "c.safetensors")


def test_a_corpus_without_a_header_is_called_by_its_file(tmp_path: Path) -> None:
    arrays = {"vectors": np.ones((6, 4), np.float32), "starts": np.array([0, 6]), "splits": np.zeros(1, np.uint8)}
    safetensors.numpy.save_file(arrays, tmp_path / "plain.safetensors")
    corpus = Corpus.open(tmp_path / "plain.safetensors")
    assert (corpus.info.name, corpus.digest) == ("plain", digest_of(**arrays))


@pytest.mark.parametrize(("value", "said"), [(np.nan, "not finite"), (np.inf, "not finite"), (0.0, "is zero")])
def test_a_bad_row_is_named_with_its_article(value: float, said: str) -> None:
    vectors = torch.ones(10, 4)
    vectors[7] = value
    with pytest.raises(LvmError, match=said) as caught:
        Corpus(
            vectors,
            torch.tensor([0, 6, 10]),
            torch.zeros(2, dtype=torch.uint8),
            CorpusInfo(name="bad", titles=("first", "second")),
        )
    assert "row 7" in caught.value.what
    assert "chunk 1 of article 1 ('second')" in caught.value.what


@pytest.mark.parametrize(
    ("starts", "splits", "said"),
    [
        ([0, 3], [0], "do not rise"),
        ([1, 6], [0], "do not rise"),
        ([0, 4, 2, 6], [0, 0, 0], "do not rise"),
        ([0, 6], [0, 1], "do not fit"),
        ([0, 6], [3], "other than 0"),
        ([0], [], "do not rise"),
    ],
)
def test_starts_and_splits_that_do_not_fit_are_named(starts: list[int], splits: list[int], said: str) -> None:
    with pytest.raises(LvmError, match=said):
        Corpus(
            torch.ones(6, 4),
            torch.tensor(starts),
            torch.tensor(splits, dtype=torch.uint8),
            CorpusInfo(name="bad"),
        )


def test_articles_too_short_for_a_window_are_said_to_be() -> None:
    with pytest.raises(LvmError, match="the longest of 5 chunks") as caught:
        in_memory([5, 4], [0, 0]).windows("train").require("training")
    assert "at least 6" in (caught.value.expected or "")


def test_a_split_without_an_article_is_said_to_have_none() -> None:
    with pytest.raises(LvmError, match="no window for validation: no article is in split 'val'\n") as caught:
        in_memory([8, 9], [0, 0]).windows("val").require("validation")
    assert caught.value.expected == "articles of at least 6 chunks whose entry in splits is 1"
    assert "lvm data import it again" in (caught.value.fix or "")


def test_every_bundled_corpus_is_whole_and_has_windows_in_every_split(registry: Registry) -> None:
    found = registry.all("corpus")
    bundled = [one for one in found if one.name in ("wiki", "kjv", "factbook")]
    assert len(bundled) == 3
    size = 0
    for one in bundled:
        corpus = one.component().build()
        size += Path(corpus.where).stat().st_size
        assert digest_of(corpus.vectors.numpy(), corpus.starts.numpy(), corpus.splits.numpy()) == corpus.info.digest
        assert len(corpus.info.titles) == len(corpus.splits)
        assert corpus.info.licence != "unknown"
        assert all(len(corpus.windows(split)) > 500 for split in SPLITS)
    assert size < 25_000_000


def test_a_corpus_is_what_its_digest_says(small: Path, tmp_path: Path) -> None:
    held = safetensors.numpy.load_file(small)
    with safetensors.safe_open(str(small), framework="numpy") as file:
        metadata = file.metadata()
    held["vectors"] = np.random.default_rng(0).normal(size=held["vectors"].shape).astype(np.float16)
    safetensors.numpy.save_file(held, tmp_path / "forged.safetensors", metadata)
    assert Corpus.open(small).digest == json.loads(metadata["lvm"])["digest"]
    with pytest.raises(LvmError, match="do not match the digest"):
        Corpus.open(tmp_path / "forged.safetensors").verify()
