"""The kept figures of yardsticks are believed only where they are the very ones that this user's lvm wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from safetensors.numpy import load_file, save_file

from lvmcore.data.corpus import Corpus
from lvmcore.evaluation.cache import YardstickCache
from lvmcore.evaluation.evaluator import Evaluator
from lvmcore.evaluation.predictors import yardstick
from lvmcore.evaluation.settings import Settings
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue

FOUND: Any = ({"splits": {"val": {"cosine": 0.5}}, "warnings": ["é"]}, {"val": {"cosine": np.arange(5, dtype="f4")}})


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No entry of another test is damaged, and none is found."""
    monkeypatch.setenv("LVM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def cache(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> YardstickCache:
    """That of copy-last, with something in it."""
    monkeypatch.setenv("LVM_CACHE", str(tmp_path / "cache"))
    made = of("copy-last", registry)
    made.write(*FOUND)
    return made


def of(name: str, registry: Registry, digest: str = "sha256:x") -> YardstickCache:
    found = next(one for one in registry.all("predictor") if one.name == name)
    return YardstickCache(digest, found, Settings(), [], None)


def forge(file: Path, keep: bool = True) -> None:
    """Raise every figure, and leave the rest as it is."""
    with safetensors.safe_open(file, "numpy") as held:
        metadata = dict(held.metadata())
    if not keep:
        metadata.pop("digest")
    save_file({name: column + 1 for name, column in load_file(file).items()}, file, metadata)


def test_what_was_kept_is_read_as_it_was(cache: YardstickCache) -> None:
    document, columns = cache.read() or ({}, {})
    assert document == FOUND[0]
    assert np.array_equal(columns["val"]["cosine"], FOUND[1]["val"]["cosine"])
    assert cache.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("keep", [True, False])
def test_forged_columns_are_not_believed(cache: YardstickCache, keep: bool) -> None:
    forge(cache.path, keep)
    assert cache.read() is None


def test_a_forged_document_is_not_believed(cache: YardstickCache) -> None:
    with safetensors.safe_open(cache.path, "numpy") as held:
        metadata = dict(held.metadata())
    metadata["lvm"] = json.dumps({**FOUND[0], "warnings": []})
    save_file(load_file(cache.path), cache.path, metadata)
    assert cache.read() is None


def test_an_entry_of_another_yardstick_or_corpus_is_not_believed(cache: YardstickCache, registry: Registry) -> None:
    for other in (of("ridge", registry), of("copy-last", registry, "sha256:y")):
        other.path.write_bytes(cache.path.read_bytes())
        assert other.read() is None


def test_what_others_may_write_is_not_believed(cache: YardstickCache, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, own = cache.path.parent, os.geteuid()
    folder.chmod(0o770)
    assert cache.read() is None
    cache.write(*FOUND)  # which makes the folder private again
    assert cache.read() is not None
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: own + 1)
        assert cache.read() is None
    aside = cache.path.with_name("aside")
    cache.path.rename(aside)
    cache.path.symlink_to(aside)
    assert cache.read() is None
    cache.path.unlink()
    os.mkfifo(cache.path)
    assert cache.read() is None
    cache.path.unlink()
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))
    cache.write(*FOUND)
    assert not cache.path.exists()


def test_damaged_and_forged_entries_are_measured_again(
    corpus: Corpus, registry: Registry, catalogue: Catalogue, cache: YardstickCache
) -> None:
    def document() -> dict[str, Any]:
        evaluator = Evaluator(corpus, registry, catalogue, Settings(protocol="5cat,resamples=20"))
        return evaluator.evaluate(yardstick("copy-last", corpus, registry)).document

    before = document()
    cache.path.unlink()
    kept = sorted(cache.path.parent.iterdir())
    whole, columns = ({file: read(file) for file in kept} for read in (Path.read_bytes, load_file))
    for number, file in enumerate(kept):
        forge(file) if number % 2 else file.write_bytes(whole[file][:-7])
    after = document()
    assert {**after, "seconds": 0} == {**before, "seconds": 0}
    for file, held in columns.items():
        assert all(np.array_equal(column, held[name], equal_nan=True) for name, column in load_file(file).items())
    assert len(kept) >= 6
