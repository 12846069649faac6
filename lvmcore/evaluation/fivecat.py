"""One evaluation from end to end: the model, the yardsticks beside it, the gates, the document."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import safetensors.numpy
import torch
from torch import Tensor

from lvmcore.corpus import Corpus
from lvmcore.evaluation.chunk import Predict
from lvmcore.evaluation.evaluate import BATCH, Columns, columns_of, document_of, evaluation_windows, measured
from lvmcore.evaluation.gates import judge
from lvmcore.evaluation.result import PROTOCOL, SCHEMA
from lvmcore.expression import Term
from lvmcore.files import write_whole
from lvmcore.precision import autocast
from lvmcore.registry import Registry
from lvmcore.variants import Catalogue


@attrs.frozen(kw_only=True)
class Protocol:
    """How to evaluate."""

    splits: tuple[str, ...] = ("val", "ood")
    profile: str = "table"
    context: int = 5
    max_windows: int | None = None
    batch_size: int = BATCH
    seed: int = 0


@attrs.frozen
class Evaluation:
    """The JSON document, and the per-window figures by split."""

    document: dict[str, Any]
    columns: dict[str, Columns]


@attrs.frozen(eq=False)
class Predictor:
    """Anything that can be evaluated, under its name."""

    name: str
    predict: Predict
    sees_target: bool = False


def predictor_of_model(name: str, model: torch.nn.Module, precision: str = "fp32") -> Predictor:
    """A trained model; call it with `model.eval()` done."""

    def predict(context: Tensor, _: Tensor) -> Tensor:
        with autocast(precision, context.device):
            return model(context)

    return Predictor(name, predict)


def yardstick(name: str, corpus: Corpus, registry: Registry) -> Predictor:
    """A predictor that needs no training, by name."""
    term = Term(name)
    component = registry.make("predictor", term)
    built = component.build(corpus)
    if getattr(component, "sees_target", False):
        return Predictor(name, built, sees_target=True)
    return Predictor(name, lambda context, _: built(context))


def evaluate(
    predictor: Predictor,
    corpus: Corpus,
    registry: Registry,
    catalogue: Catalogue,
    protocol: Protocol,
    *,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Evaluation:
    """Evaluate a predictor and, beside it, every registered yardstick.

    Args:
        progress: told the predictor's name, the windows done and the windows in all.
    """
    began = time.perf_counter()
    profile = catalogue.profile(protocol.profile)
    windows = evaluation_windows(corpus, protocol.splits, protocol.context, protocol.max_windows)
    total = sum(map(len, windows.values()))

    def run(one: Predictor) -> tuple[dict[str, Any], dict[str, Columns]]:
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            progress(one.name, done, total)

        columns = {
            split: columns_of(
                one.predict,
                found,
                sees_target=one.sees_target,
                seed=protocol.seed,
                batch_size=protocol.batch_size,
                progress=tell,
            )
            for split, found in windows.items()
        }
        result = document_of(measured(columns, protocol.context))
        return result | {"gates": judge(protocol.profile, profile, result).document()}, columns

    own, columns = run(predictor)
    others = [found.name for found in registry.all("predictor")]
    document = {
        "schema": SCHEMA,
        "protocol": PROTOCOL,
        "model": predictor.name,
        "corpus": {"name": corpus.info.name, "digest": corpus.digest},
        "seed": protocol.seed,
        "max_windows": protocol.max_windows,
        "empty_splits": [split for split in protocol.splits if split not in windows],
        **own,
        "yardsticks": {name: run(yardstick(name, corpus, registry))[0] for name in others},
    }
    document["seconds"] = round(time.perf_counter() - began, 3)
    registry.plugins.hook.lvm_evaluated(model=predictor, result=document)
    return Evaluation(document, columns)


def save_columns(path: Path, columns: dict[str, Columns]) -> None:
    """Keep the per-window figures, so that two runs can be compared without their models."""
    flat = {f"{split}/{name}": column for split, found in columns.items() for name, column in found.items()}
    write_whole(path, safetensors.numpy.save(flat, metadata={"lvm": '{"schema": 1, "kind": "windows"}'}))
