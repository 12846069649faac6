"""The studies beside the bench: what they measure is what a plain loop finds, and what is there is not done again."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lvmcore.data.corpus import Corpus

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "next"
WORLD = "world,articles=20,length=16,dim=48,latent=8"


@pytest.fixture
def retrieval(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return __import__("retrieval")


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return __import__("scaling")


def test_what_is_retrieved_is_what_a_plain_loop_finds(retrieval: ModuleType, corpus: Corpus) -> None:
    windows = corpus.windows("val", 5)

    def predict(context: Tensor) -> Tensor:
        return context[:, -1] + 0.3 * context[:, 0]

    found, central, hubs = [], [], []
    for article in windows.articles.unique().tolist():
        start, end = corpus.starts[article : article + 2].tolist()
        rows = corpus.rows(torch.arange(start, end))
        nearness = rows @ F.normalize(rows.mean(0), dim=0)
        times = [0] * len(rows)
        targets = [row - start for row in windows.targets[:].tolist() if start <= row < end]
        for target in targets:
            own = predict(rows[None, target - 5 : target])[0]
            own = own / own.norm()
            others = [row for row in range(len(rows)) if not target - 5 <= row < target]
            best = sorted(others, key=lambda row: -float(rows[row] @ own))[:5]
            found.append(float(target in best))
            central += [float((nearness[row] - nearness.mean()) / nearness.std()) for row in best]
            for row in best:
                times[row] += 1
        hubs += [sum(sorted(times, reverse=True)[: max(1, len(rows) // 10)]) / sum(times)] * len(targets)
    one = retrieval.retrieved(windows, predict)
    assert one.found == pytest.approx(sum(found) / len(found))
    assert one.central == pytest.approx(sum(central) / len(central), abs=1e-5)
    assert one.hubs == pytest.approx(sum(hubs) / len(hubs))


def test_the_line_between_two_cheats_begins_and_ends_at_them(
    retrieval: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retrieval, "SHARES", (0.0, 1.0))
    monkeypatch.setattr("sys.argv", ["retrieval.py", WORLD])
    assert retrieval.main() == 0
    first, second, begins, ends = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{WORLD} copy-last: R@5 unseen ")
    assert second.startswith(f"{WORLD} filter: R@5 unseen ")
    assert abs(float(begins.partition("dF ")[2].partition(",")[0])) < 1e-3
    assert abs(float(ends.partition("dCL ")[2])) < 1e-3


def test_parts_lie_within_each_other_and_leave_the_other_splits_alone(
    scaling: ModuleType, corpus: Corpus, tmp_path: Path
) -> None:
    held = []
    for share in (0.25, 0.5, 1.0):
        scaling.part_of(corpus, share, tmp_path / "part.safetensors")
        part = Corpus.open(tmp_path / "part.safetensors")
        assert [len(part.windows(split)) for split in ("val", "ood")] == [
            len(corpus.windows(split)) for split in ("val", "ood")
        ]
        held.append({tuple(row.tolist()) for row in part.rows(part.rows_of("train")[:])})
    assert held[0] < held[1] < held[2]
    assert held[2] == {tuple(row.tolist()) for row in corpus.rows(corpus.rows_of("train")[:])}


def test_a_point_that_is_there_is_not_measured_again(
    scaling: ModuleType, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "EPOCHS", 1)
    words = ["scaling.py", "--data", f"own={small}", "--parts", "0.5", "1", "--results", str(tmp_path)]
    monkeypatch.setattr("sys.argv", words)
    assert scaling.main() == 0
    points = json.loads((tmp_path / "own.json").read_text("utf-8"))
    assert [(point["share"], point["loss"], point["epochs"]) for point in points] == [
        (0.5, "cos", 2), (0.5, "cos+rank:0.3", 2), (1.0, "cos", 1), (1.0, "cos+rank:0.3", 1),
    ]  # fmt: skip
    assert str(small) not in (tmp_path / "own.json").read_text("utf-8")
    monkeypatch.setattr(scaling, "measured", lambda *_: pytest.fail("measured again"))
    assert scaling.main() == 0
