"""The notebook runs from its first cell to its last, on small data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lvm_corpora.wiki import Wiki
from lvmcore import Corpus, CorpusInfo

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "notebook.ipynb"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Wiki().build()
    kept = [i for split in range(3) for i in (whole.splits == split).nonzero().flatten().tolist()[:6]]
    rows = torch.cat([whole.vectors[whole.starts[i] : whole.starts[i] + 20] for i in kept])
    small = Corpus(rows, torch.arange(len(kept) + 1) * 20, whole.splits[kept], CorpusInfo(name="wiki"))
    monkeypatch.setattr(Wiki, "build", lambda self: small)
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    names: dict[str, object] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        exec(compile(cell, f"cell {number}", "exec"), names)
    assert len(cells) >= 7
    printed = capsys.readouterr().out
    assert "gain over the filter" in printed
    assert "copy-last" in printed
    assert all(not cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"), "clear its outputs"
