"""Small corpora and the loaded registry, shared by all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from lvmcore.corpus import Corpus, CorpusInfo, save_corpus
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.variants import Catalogue, default_files, load_catalogue

settings.register_profile("lvm", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("lvm")

MakeCorpus = Callable[..., Path]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from, or left in, the user's cache."""
    monkeypatch.setenv("LVM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("LVM_PLUGINS", raising=False)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry(Plugins(only=()))


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(default_files())


@pytest.fixture
def make_corpus(tmp_path: Path) -> MakeCorpus:
    """Writes a corpus of articles whose rows drift about a topic, and gives its path."""

    def make(
        name: str = "small", articles: int = 12, rows: int = 12, dim: int = 16, seed: int = 0, dtype: type = np.float16
    ) -> Path:
        random = np.random.default_rng(seed)
        topics = random.normal(size=(articles, 1, dim))
        walk = np.cumsum(random.normal(size=(articles, rows, dim)) * 0.4, axis=1)
        vectors = (topics + walk).reshape(-1, dim)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        starts = np.arange(articles + 1) * rows
        splits = np.array([(0, 0, 1, 0, 0, 2)[i % 6] for i in range(articles)])
        path = tmp_path / f"{name}.safetensors"
        save_corpus(path, vectors.astype(dtype), starts, splits, CorpusInfo(name=name))
        return path

    return make


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Corpus:
    return Corpus.open(make_corpus())
