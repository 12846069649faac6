"""lvm: train, evaluate and compare Latent Vector Models. These names are all that a plugin, or a notebook, needs.

They are imported when they are first used, so that a command that needs no torch imports none.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvmcore import device
    from lvmcore.components import component, option
    from lvmcore.data.corpus import Corpus, CorpusInfo
    from lvmcore.data.indices import Chosen, Indices, Ranges, shuffled
    from lvmcore.data.keys import content_keys, mix
    from lvmcore.data.least_squares import fit_scalars
    from lvmcore.data.sources.decode import is_encoding
    from lvmcore.data.sources.text import Article, EncoderFacts, Encoding, Source, Tokenizer
    from lvmcore.data.store.texts import Texts
    from lvmcore.data.store.writing import save_corpus
    from lvmcore.data.windows import Batch, Windows
    from lvmcore.errors import LvmError, MachineError
    from lvmcore.evaluation.chunk import Chunk
    from lvmcore.evaluation.document import Evaluation
    from lvmcore.evaluation.figures import Count, Estimate, Figure
    from lvmcore.evaluation.fivecat.ablations import Ablations
    from lvmcore.evaluation.fivecat.coherence import CoherenceBins
    from lvmcore.evaluation.fivecat.offsets import OffsetSweep
    from lvmcore.evaluation.fivecat.retrieval import Retrieval
    from lvmcore.evaluation.fivecat.rollout import Rollout
    from lvmcore.evaluation.protocols import Protocol
    from lvmcore.files import cache_folder, to_json
    from lvmcore.foreign import Adopted
    from lvmcore.hookspecs import hookimpl
    from lvmcore.model import Shape
    from lvmcore.report import tables
    from lvmcore.report.columns import Column
    from lvmcore.report.comparison import Comparison, Row
    from lvmcore.report.details import Details, Target
    from lvmcore.requirements import needs
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
    "Indices": "data.indices",
    "shuffled": "data.indices",
    "Chosen": "data.indices",
    "Ranges": "data.indices",
    "fit_scalars": "data.least_squares",
    "save_corpus": "data.store.writing",
    "Texts": "data.store.texts",
    "Source": "data.sources.text",
    "Article": "data.sources.text",
    "is_encoding": "data.sources.decode",
    "Tokenizer": "data.sources.text",
    "Encoding": "data.sources.text",
    "EncoderFacts": "data.sources.text",
    "LvmError": "errors",
    "MachineError": "errors",
    "cache_folder": "files",
    "to_json": "files",
    "needs": "requirements",
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
    "content_keys": "data.keys",
    "mix": "data.keys",
    "hookimpl": "hookspecs",
    "Shape": "model",
    "Adopted": "foreign",
    "Step": "training.step",
}

_MODULES = {
    "tables": "report.tables",  # what a report needs to draw a table that fits the terminal
    "device": "device",  # where an encoder computes, and how precisely
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
    "Indices",
    "shuffled",
    "Chosen",
    "Ranges",
    "fit_scalars",
    "save_corpus",
    "Texts",
    "Source",
    "Article",
    "is_encoding",
    "Tokenizer",
    "Encoding",
    "EncoderFacts",
    "LvmError",
    "MachineError",
    "cache_folder",
    "to_json",
    "needs",
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
    "Adopted",
    "Step",
    "tables",
    "device",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("lvmcore")
    if name in _MODULES:
        return import_module(f"lvmcore.{_MODULES[name]}")
    if name in _HOMES:
        return getattr(import_module(f"lvmcore.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lvmcore' has no attribute '{name}'")
