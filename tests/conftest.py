"""Small corpora, the loaded registry and the program, shared by all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import attrs
import numpy as np
import pytest
from hypothesis import settings

from lvm_cli.main import main
from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.store.writing import save_corpus
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue, default_files, load_catalogue
from lvmcore.variants.variant import Variant

settings.register_profile("lvm", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("lvm")

MakeCorpus = Callable[..., Path]
Lvm = Callable[..., "CompletedProcess[str]"]

TOY = ("run", "--arch", "transformer", "--loss", "mse+dir:0.002", "--size", "toy", "--epochs", "2", "--data")
"""A run of seconds; a corpus file follows."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from, or left in, the user's cache."""
    monkeypatch.setenv("LVM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("LVM_PLUGINS", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry(Plugins(only=()))


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(default_files())


@pytest.fixture
def variant(catalogue: Catalogue) -> Variant:
    """What trains on a small corpus in a second."""
    return attrs.evolve(catalogue.variant("base"), arch="transformer", epochs=3, batch_size=16, lr=3e-3)


class Site:
    """A folder of fake distributions on the import path, with real metadata."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, dist: str, source: str, entry: str = "") -> None:
        module = f"plugin_of_{dist.replace('-', '_')}"
        (self.folder / f"{module}.py").write_text(source)
        info = self.folder / f"{dist.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[lvm]\n{entry or dist} = {module}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("plugin_of_")]:
        del sys.modules[name]
    return Site(tmp_path)


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


@pytest.fixture
def small(make_corpus: MakeCorpus) -> Path:
    return make_corpus()


@pytest.fixture
def light_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """`lvm check` that reads no corpus and evaluates nothing, which takes seconds."""
    for heavy in ("_corpora", "_evaluator"):
        monkeypatch.setattr(f"lvmcore.installation.{heavy}", lambda registry: "not looked at")


@pytest.fixture
def lvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lvm:
    """Runs the program in this process, which spares its start, in an empty folder; `status` is asserted."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path, status: int = 0) -> CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["lvm", *map(str, words)])
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as end:
                main()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return checked(CompletedProcess(sys.argv, int(end.value.code or 0), *capsys.readouterr()), status)

    return run


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lvm:
    """Runs the program in a process of its own, for what this one must not suffer."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path, status: int = 0, **environment: str) -> CompletedProcess[str]:
        command = [sys.executable, "-m", "lvmcore", *map(str, words)]
        env = {**os.environ, **environment}
        return checked(subprocess.run(command, capture_output=True, text=True, check=False, env=env), status)

    return run


def checked(done: CompletedProcess[str], status: int) -> CompletedProcess[str]:
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done
