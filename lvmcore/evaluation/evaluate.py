"""5CAT: the five tests over the windows of a corpus, batched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from lvmcore.corpus import Corpus, Windows
from lvmcore.evaluation import ablations, coherence, offsets, retrieval, rollout
from lvmcore.evaluation.chunk import Chunk, Predict
from lvmcore.evaluation.content import ContentKeys
from lvmcore.evaluation.result import Measured, SplitResult
from lvmcore.evaluation.statistics import Figure, Statistics

TESTS = (offsets.measure, retrieval.measure, ablations.measure, rollout.measure, coherence.measure)
BATCH = 256

Columns = dict[str, np.ndarray]
"""Per-window figures by name, such as `A/+1` or `C/shuffle`: (W,) float32, NaN where not measurable."""


def evaluation_windows(
    corpus: Corpus, splits: Sequence[str], context: int, limit: int | None = None
) -> dict[str, Windows]:
    """The first `limit` windows of each split that has any.

    Raises:
        LvmError: where no split has one.
    """
    found = {split: corpus.windows(split, context) for split in splits}
    kept = {split: windows for split, windows in found.items() if len(windows)}
    if not kept:
        found[splits[0]].require("evaluation")
    return {split: attrs.evolve(windows, targets=windows.targets[:limit]) for split, windows in kept.items()}


@torch.inference_mode()
def columns_of(
    predictor: Predict,
    windows: Windows,
    *,
    tests: Sequence[Callable[[Chunk], Mapping[str, Tensor]]] = TESTS,
    sees_target: bool = False,
    seed: int = 0,
    batch_size: int = BATCH,
    progress: Callable[[int], None] = lambda windows: None,
) -> Columns:
    """Run tests over all windows of a split. Memory grows by the figures alone, not by the vectors.

    Args:
        progress: told the number of windows after each batch.
    """
    keys = ContentKeys(windows.corpus, windows.split, seed)
    columns: Columns = {"article": windows.corpus.article_of[windows.targets].numpy()}
    done = 0
    for batch in windows.batches(batch_size):
        chunk = Chunk(batch, predictor, keys, sees_target)
        part: dict[str, Tensor] = {"cosine": chunk.cos_next}
        for test in tests:
            part |= test(chunk)
        for name, values in part.items():
            column = columns.setdefault(name, np.full(len(windows), np.nan, np.float32))
            column[done : done + len(values)] = values.float().numpy()
        done += len(batch.targets)
        progress(len(batch.targets))
    return columns


def split_result(columns: Columns, context: int) -> SplitResult:
    """The figures of one split."""
    statistics = Statistics(columns, columns["article"])
    return SplitResult(
        cosine=statistics.figure("cosine"),
        windows=statistics.count("cosine"),
        A=offsets.report(statistics, context),
        B=retrieval.report(statistics),
        C=ablations.report(statistics),
        D=rollout.report(statistics),
        E=coherence.report(statistics),
    )


def measured(columns: Mapping[str, Columns], context: int) -> Measured:
    """All splits and what compares them."""
    splits = {split: split_result(found, context) for split, found in columns.items()}
    normal = [result.E.normal.cosine.value for result in splits.values()]
    both = len(normal) == 2 and None not in normal
    return Measured(splits, Figure(abs(normal[0] - normal[1]) if both else None))  # pyright: ignore


def document_of(result: Measured) -> dict[str, Any]:
    """The nested JSON form."""
    return attrs.asdict(result)


def validate(predictor: Predict, windows: Windows) -> dict[str, float]:
    """What is watched after each epoch: cosine, the mse of the unit prediction, margin, R@1 and R@5."""
    columns = columns_of(predictor, windows, tests=(offsets.measure, retrieval.measure))
    statistics = Statistics(columns, columns["article"])
    cosine = float(statistics.mean("cosine")[0])
    sweep = offsets.report(statistics, windows.context)
    among = retrieval.report(statistics).all
    nan = float("nan")
    return {
        "val_loss": 2 * (1 - cosine) / windows.corpus.dim,
        "val_cos": cosine,
        "margin": nan if sweep.margin.value is None else sweep.margin.value,
        "r1": nan if among.r1.value is None else among.r1.value,
        "r5": nan if among.r5.value is None else among.r5.value,
    }
