"""The tests of a protocol over the windows of a corpus, batched; and the figures of the columns they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.windows import SPLITS, Windows
from lvmcore.evaluation import legacy
from lvmcore.evaluation.chunk import Chunk, Predict
from lvmcore.evaluation.content import ContentKeys
from lvmcore.evaluation.document import Measured, SplitResult
from lvmcore.evaluation.fivecat import ablations, coherence, offsets, retrieval, rollout
from lvmcore.evaluation.protocols import FIVECAT, Protocol, Test
from lvmcore.evaluation.settings import BATCH
from lvmcore.evaluation.statistics import COSINE, Figure, Statistics

Columns = dict[str, np.ndarray]
"""Per-window figures by name, such as `A/+1` or `C/shuffle`: (W,) float32, NaN where not measurable."""


@attrs.frozen(eq=False)
class Predictor:
    """Anything that can be evaluated, under its name."""

    name: str
    predict: Predict
    sees_target: bool = False


def evaluation_windows(
    corpus: Corpus, splits: Sequence[str], context: int, limit: int | None = None, spread: bool = True
) -> dict[str, Windows]:
    """The windows of each split that has any.

    Args:
        limit: at most so many a split.
        spread: evenly over the split, and so over its articles; else the first that every test of `5cat-2025` has
            that many of.

    Raises:
        LvmError: where no split has one.
    """
    found = {split: corpus.windows(split, context) for split in splits}
    kept = {split: windows for split, windows in found.items() if len(windows)}
    if not kept:
        found[splits[0]].require("evaluation")
    if limit is None:
        return kept
    return {split: _limited(windows, limit, spread) for split, windows in kept.items()}


def _limited(windows: Windows, limit: int, spread: bool) -> Windows:
    if spread:
        count = min(limit, len(windows))
        return attrs.evolve(windows, targets=windows.targets[torch.arange(count) * len(windows) // count])
    furthest = windows.targets + legacy.AHEAD  # the row furthest ahead that a test reads
    whole = furthest < windows.corpus.starts[windows.corpus.article_of[windows.targets] + 1]
    enough = int(torch.searchsorted(whole.cumsum(0), limit)) + 1
    return attrs.evolve(windows, targets=windows.targets[:enough])


def _first_measured(columns: Columns, limit: int) -> Columns:
    """Each test's figures of the first windows that it could measure, and nothing of the others."""
    kept: Columns = {}
    for test in {name[0] for name in columns}:
        own = {name: column for name, column in columns.items() if name[0] == test}
        measured = np.logical_or.reduce([~np.isnan(column) for column in own.values()])
        beyond = measured.cumsum() > limit
        kept |= {name: np.where(beyond, np.float32(np.nan), column) for name, column in own.items()}
    return {name: kept[name] for name in columns}


@torch.inference_mode()
def columns_of(
    predictor: Predictor,
    windows: Windows,
    tests: Sequence[Test] | None = None,
    *,
    filter: Predict | None = None,
    seed: int = 0,
    first: int | None = None,
    batch_size: int = BATCH,
    progress: Callable[[int], None] = lambda windows: None,
) -> Columns:
    """Run tests over all windows of a split. Memory grows by the figures alone, not by the vectors.

    Args:
        tests: those of `5cat` by default.
        filter: what gain and direction are measured against.
        first: keep of each test the figures of so many windows that it could measure, the first ones.
        progress: told the number of windows after each batch.
    """
    tests = FIVECAT.tests() if tests is None else tests
    keys = ContentKeys(windows.corpus, windows.split, seed)
    columns: Columns = {}
    done = 0
    for batch in windows.batches(batch_size):
        chunk = Chunk(batch, predictor.predict, keys, predictor.sees_target, filter)
        part: dict[str, Tensor] = {"cosine": chunk.cos_next}
        for test in tests:
            part |= test(chunk)
        part["broken"] = chunk.broken
        for name, values in part.items():
            column = columns.setdefault(name, np.full(len(windows), np.nan, np.float32))
            column[done : done + len(values)] = values.float().numpy()
        done += len(batch.targets)
        progress(len(batch.targets))
    if first is not None:
        columns = _first_measured(columns, first)
    if "A/+1" in columns:
        columns["A/margin"] = offsets.margin(columns)
    return columns


def statistics_of(columns: Columns, windows: Windows, resamples: int = 0, seed: int = 0) -> Statistics:
    """The columns' means, article by article."""
    lengths = windows.corpus.starts.diff()[windows.corpus.splits == SPLITS.index(windows.split)]
    too_short = tuple(lengths[lengths <= windows.context].tolist())
    return Statistics(columns, windows.corpus.article_of[windows.targets].numpy(), resamples, seed, too_short)


def split_result(statistics: Statistics, offset_names: list[str]) -> SplitResult:
    """The figures of one split."""
    return SplitResult(
        cosine=statistics.figure("cosine", COSINE),
        windows=statistics.count("cosine"),
        articles=statistics.articles,
        A=offsets.report(statistics, offset_names),
        B=retrieval.report(statistics),
        C=ablations.report(statistics),
        D=rollout.report(statistics),
        E=coherence.report(statistics),
    )


def measured(statistics: Mapping[str, Statistics], protocol: Protocol, context: int) -> Measured:
    """All splits, and what compares them: |normal(VAL) − normal(OOD)| of test E."""
    splits = {split: split_result(found, protocol.offsets(context)) for split, found in statistics.items()}
    if not {"val", "ood"} <= set(statistics):
        return Measured(splits, Figure(None))
    difference = statistics["val"].estimate("E/normal").minus(statistics["ood"].estimate("E/normal")).figure()
    return Measured(splits, _absolute(difference))


def _absolute(figure: Figure) -> Figure:
    if figure.value is None or figure.low is None or figure.high is None:
        return Figure(None if figure.value is None else abs(figure.value))
    ends = sorted((abs(figure.low), abs(figure.high)))
    return Figure(abs(figure.value), 0.0 if figure.low <= 0 <= figure.high else ends[0], ends[1])


def validate(predict: Predict, windows: Windows) -> dict[str, float]:
    """What is watched after each epoch: cosine, the mse of the unit prediction, margin, R@1 and R@5."""
    columns = columns_of(Predictor("validation", predict), windows, (offsets.measure, retrieval.measure))
    statistics = statistics_of(columns, windows)
    cosine = statistics.value("cosine")
    return {
        "val_loss": 2 * (1 - cosine) / windows.corpus.dim,
        "val_cos": cosine,
        "margin": statistics.value("A/margin"),
        "r1": statistics.value("B/all/r1"),
        "r5": statistics.value("B/all/r5"),
    }
