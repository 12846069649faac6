"""The example that counts near copies finds what a plain loop finds."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import attrs
import numpy as np
import pytest
import torch

from lvmcore import Corpus, CorpusInfo, Lab

FOLDER = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return __import__("near_copies")


@pytest.fixture
def corpus() -> Corpus:
    """Two articles of each split, in which some cosines are high."""
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    starts = torch.arange(0, 61, 10)
    return Corpus(
        torch.from_numpy(rows), starts, torch.tensor([0, 1, 2, 0, 1, 2], dtype=torch.uint8), CorpusInfo(name="memory")
    )


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_near_copies_are_those_of_a_plain_loop(
    threshold: float, example: ModuleType, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "BLOCK", 7)
    rows = corpus.rows(torch.arange(len(corpus))).numpy()
    training = [*range(10), *range(30, 40)]
    for split in ("val", "ood"):
        windows = corpus.windows(split)
        expected = [
            any(float(rows[target] @ rows[row]) > threshold for row in training)
            for target in windows.targets[:].tolist()
        ]
        found = example.near_copies(windows, threshold)
        assert found.tolist() == expected
        assert len(attrs.evolve(windows, targets=windows.targets[:][~found])) == expected.count(False)
        assert threshold > 0.9 or sum(expected) > 0


def test_the_script_prints_a_line_a_split(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["near_copies.py", "world,articles=20,length=8,dim=48,latent=8"])
    assert example.main() == 0
    assert [line.split(":")[0][-4:].strip() for line in capsys.readouterr().out.splitlines()] == ["val", "ood"]
    monkeypatch.setattr("sys.argv", ["near_copies.py", "nothing"])
    assert example.main() == 2
    assert "unknown corpus 'nothing'" in capsys.readouterr().err


def test_a_run_is_evaluated_on_the_targets_that_are_left(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = "world,articles=20,length=12,dim=48,latent=8"
    lab = Lab(tmp_path, progress=False)
    lab.train(arch="amn", size="toy", epochs=1, data=data, evaluate=False)
    corpus = lab.corpus(data)
    copies = {split: example.near_copies(corpus.windows(split), 0.6) for split in ("val", "ood")}
    assert all(0 < int(found.sum()) < len(found) for found in copies.values())
    evaluation = example.without_copies(lab, corpus, "latest", 0.6)
    for split, found in copies.items():
        assert evaluation.windows[split].targets.tolist() == corpus.windows(split).targets[:][~found].tolist()
        assert len(evaluation.columns[split]["cosine"]) == int((~found).sum())
    whole = lab.evaluate("latest", splits=["val"]).columns["val"]["cosine"]
    assert evaluation.columns["val"]["cosine"] == pytest.approx(whole[~copies["val"].numpy()], abs=1e-6)
    monkeypatch.setattr(
        "sys.argv", ["near_copies.py", data, "--threshold", "0.6", "--model", "latest", "--runs", str(tmp_path)]
    )
    assert example.main() == 0
    assert "of causal" in (printed := capsys.readouterr().out)
    assert printed.count("the nearest cheat") == 6
