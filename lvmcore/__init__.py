"""lvm: train, evaluate and compare Latent Vector Models. These names are all that a plugin needs.

They are imported when they are first used, so that a command that needs no torch imports none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvmcore.components import component, option
    from lvmcore.data.corpus import Corpus, CorpusInfo, save_corpus
    from lvmcore.data.windows import Batch, Windows
    from lvmcore.errors import LvmError
    from lvmcore.evaluation.chunk import Chunk
    from lvmcore.evaluation.content import content_keys, mix
    from lvmcore.hookspecs import hookimpl
    from lvmcore.model import Shape
    from lvmcore.report import tables
    from lvmcore.report.comparison import Comparison, Row
    from lvmcore.report.details import Details, Target
    from lvmcore.training.step import Step

_HOMES = {
    "component": "components",
    "option": "components",
    "Comparison": "report.comparison",
    "Row": "report.comparison",
    "Details": "report.details",
    "Target": "report.details",
    "Batch": "data.windows",
    "Corpus": "data.corpus",
    "CorpusInfo": "data.corpus",
    "Windows": "data.windows",
    "save_corpus": "data.corpus",
    "LvmError": "errors",
    "Chunk": "evaluation.chunk",
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
    "Details",
    "Target",
    "Batch",
    "Corpus",
    "CorpusInfo",
    "Windows",
    "save_corpus",
    "LvmError",
    "Chunk",
    "content_keys",
    "mix",
    "hookimpl",
    "Shape",
    "Step",
    "tables",
]


def __getattr__(name: str) -> Any:
    if name == "tables":  # a module: what a report needs to draw a table that fits the terminal
        return import_module("lvmcore.report.tables")
    if name in _HOMES:
        return getattr(import_module(f"lvmcore.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lvmcore' has no attribute '{name}'")
