"""lvm: train, evaluate and compare Latent Vector Models. These names are all that a plugin, or a notebook, needs.

They are imported when they are first used, so that a command that needs no torch imports none.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvmcore.components import component, option
    from lvmcore.data.corpus import Corpus, CorpusInfo, save_corpus
    from lvmcore.data.windows import Batch, Windows
    from lvmcore.errors import LvmError
    from lvmcore.evaluation.chunk import Chunk
    from lvmcore.evaluation.content import content_keys, mix
    from lvmcore.evaluation.document import Evaluation
    from lvmcore.evaluation.figures import Count, Estimate, Figure
    from lvmcore.evaluation.fivecat.ablations import Ablations
    from lvmcore.evaluation.fivecat.coherence import CoherenceBins
    from lvmcore.evaluation.fivecat.offsets import OffsetSweep
    from lvmcore.evaluation.fivecat.retrieval import Retrieval
    from lvmcore.evaluation.fivecat.rollout import Rollout
    from lvmcore.evaluation.protocols import Protocol
    from lvmcore.hookspecs import hookimpl
    from lvmcore.model import Shape
    from lvmcore.report import tables
    from lvmcore.report.columns import Column
    from lvmcore.report.comparison import Comparison, Row
    from lvmcore.report.details import Details, Target
    from lvmcore.runs.run import Run
    from lvmcore.toolkit import Lab, load
    from lvmcore.training.step import Step

_HOMES = {
    "component": "components",
    "option": "components",
    "Comparison": "report.comparison",
    "Row": "report.comparison",
    "Column": "report.columns",
    "Details": "report.details",
    "Target": "report.details",
    "Batch": "data.windows",
    "Corpus": "data.corpus",
    "CorpusInfo": "data.corpus",
    "Windows": "data.windows",
    "save_corpus": "data.corpus",
    "LvmError": "errors",
    "Lab": "toolkit",
    "load": "toolkit",
    "Run": "runs.run",
    "Evaluation": "evaluation.document",
    "Estimate": "evaluation.figures",
    "Chunk": "evaluation.chunk",
    "Figure": "evaluation.figures",
    "Count": "evaluation.figures",
    "Protocol": "evaluation.protocols",
    "OffsetSweep": "evaluation.fivecat.offsets",
    "Retrieval": "evaluation.fivecat.retrieval",
    "Ablations": "evaluation.fivecat.ablations",
    "Rollout": "evaluation.fivecat.rollout",
    "CoherenceBins": "evaluation.fivecat.coherence",
    "content_keys": "evaluation.content",
    "mix": "evaluation.content",
    "hookimpl": "hookspecs",
    "Shape": "model",
    "Step": "training.step",
}

__all__ = [  # noqa: RUF022 – in the order of _HOMES
    "component",
    "option",
    "Comparison",
    "Row",
    "Column",
    "Details",
    "Target",
    "Batch",
    "Corpus",
    "CorpusInfo",
    "Windows",
    "save_corpus",
    "LvmError",
    "Lab",
    "load",
    "Run",
    "Evaluation",
    "Estimate",
    "Chunk",
    "Figure",
    "Count",
    "Protocol",
    "OffsetSweep",
    "Retrieval",
    "Ablations",
    "Rollout",
    "CoherenceBins",
    "content_keys",
    "mix",
    "hookimpl",
    "Shape",
    "Step",
    "tables",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("lvmcore")
    if name == "tables":  # a module: what a report needs to draw a table that fits the terminal
        return import_module("lvmcore.report.tables")
    if name in _HOMES:
        return getattr(import_module(f"lvmcore.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lvmcore' has no attribute '{name}'")
