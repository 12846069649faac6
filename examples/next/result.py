"""What is kept of a run: one small JSON, and the figures of single windows of those that others are compared with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from lvmcore import Run, to_json
from lvmcore.files import write_whole
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.report.paired import compare_paired

FIGURES = {"A.cosine": "cosine", "B.unseen.r5": "r5", "D.score": "rollout"}
"""What ideas are compared by, and what it is called in a result."""
COLUMNS = {"row": np.int64, "article": np.int64, "cosine": np.float32, "B/unseen/r5": np.float16, "D/score": np.float32}
"""The columns that these differences need, with types that hold them."""
SPLITS = ("val", "ood")
AGAINST = {"p1": ("p1", "p1-5"), "next": ("next",)}
"""Whom results are compared with besides the cheats: a name, and the ideas that bear it."""
SETTINGS = (
    "arch", "loss", "inputs", "sampler", "schedule", "optimizer", "context", "epochs", "batch_size", "lr",
    "weight_decay", "ema", "best",
)  # fmt: skip
DIGITS = 6


def result_file(results: Path, corpus: str, idea: str, seed: int) -> Path:
    return results / corpus / f"{idea}-s{seed}.json"


def file_result(folder: Path, results: Path, corpus: str, idea: str, seed: int) -> None:
    """File what is kept of a run: its JSON last, which says that all is there."""
    run = Run.open(folder)
    file = result_file(results, corpus, idea, seed)
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = summary(run, file.parent, idea)
    if any(idea in ideas for ideas in AGAINST.values()):
        _keep_windows(run, file.with_suffix(""))
    write_whole(file, to_json(kept) + "\n")


def summary(run: Run, others: Path, idea: str) -> dict[str, Any]:
    """Figures, verdict and differences of a run, and what it was made with.

    Args:
        run: evaluated, with its figures of single windows.
        others: the folder of the corpus's results.
        idea: what it is filed as.
    """
    record, document = run.record, run.document_by() or {}
    splits, causal = document["splits"], document["causal"]
    figures = {
        split: {
            "cosine": splits[split]["cosine"],
            "r5": splits[split]["B"]["unseen"]["r5"],
            "rollout": splits[split]["D"]["score"],
            "windows": splits[split]["windows"],
        }
        for split in SPLITS
    }
    cheats = {
        split: {
            cheat: {FIGURES[key]: value for key, value in found.items() if key in FIGURES}
            for cheat, found in document["differences"][split].items()
        }
        for split in SPLITS
    }
    for name, found in _paired(run, others, idea).items():
        for split in SPLITS:
            cheats[split][name] = found[split]
    return _rounded(
        {
            "schema": 1,
            "idea": idea,
            "corpus": {key: record["corpus"][key] for key in ("name", "digest")} | {"name": others.name},
            "seed": record["seed"],
            "settings": {key: record["variant"][key] for key in SETTINGS},
            "init": {key: record["init"][key] for key in ("run", "digest")} if record.get("init") else None,
            "parameters": record["parameters"],
            "status": record["status"],
            "best": record["best"],
            "windows": record["windows"],
            "splits": figures,
            "causal": {key: causal[key] for key in ("passed", "of", "A", "B", "C", "D", "E", "why")},
            "differences": cheats,
            "seconds": record["seconds"],
            "date": record["started"][:10],
            "precision": record["precision"],
            "versions": record["versions"],
            "machine": record["machine"],
        }
    )


def _paired(run: Run, others: Path, idea: str) -> dict[str, dict[str, Any]]:
    """Differences to those of AGAINST that are there, on the same windows: by the same seed, P1 by the one it has."""
    found = {}
    for name, ideas in AGAINST.items():
        seed = "*" if name == "p1" else run.record["seed"]
        kept = [folder for other in ideas for folder in sorted(others.glob(f"{other}-s{seed}")) if folder.is_dir()]
        other = Run(kept[0], {}) if kept and idea not in ideas else None
        if other and _context(other) == _context(run):  # another context has other windows
            both: dict[str, Any] = {split: {} for split in SPLITS}
            for one in compare_paired(run, other, Registry(Plugins(only=()))).differences:
                if one.split in both and one.figure in FIGURES:
                    ends = {"value": one.difference.value, "low": one.difference.low, "high": one.difference.high}
                    both[one.split][FIGURES[one.figure]] = ends
            found[name] = both
    return found


def _context(run: Run) -> int | None:
    return (run.document_by() or {}).get("context")


def _keep_windows(run: Run, folder: Path) -> None:
    """The columns that a paired comparison needs, in a folder that it reads as it reads a run's."""
    partly = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partly, ignore_errors=True)
    partly.mkdir()
    held = safetensors.numpy.load_file(run.path / "windows.safetensors")
    columns = {
        f"{split}/{name}": held[f"{split}/{name}"].astype(kind) for split in SPLITS for name, kind in COLUMNS.items()
    }
    safetensors.numpy.save_file(columns, partly / "windows.safetensors")
    document = run.document_by() or {}
    kept = {key: document[key] for key in ("schema", "protocol", "corpus", "context", "gates")}
    write_whole(partly / "evaluation.json", to_json(kept | {"splits": {}}) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    partly.rename(folder)


def _rounded(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _rounded(value) for key, value in node.items()}
    return round(node, DIGITS) if isinstance(node, float) else node
