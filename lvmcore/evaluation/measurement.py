"""The tests of a protocol over the windows of a corpus, batched; and the statistics of the columns they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs
import numpy as np
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.indices import parts
from lvmcore.data.windows import SPLITS, Windows
from lvmcore.evaluation.checks import Check
from lvmcore.evaluation.chunk import Chunk, Predict
from lvmcore.evaluation.content import ContentKeys
from lvmcore.evaluation.figures import Columns
from lvmcore.evaluation.protocols import Protocol
from lvmcore.evaluation.settings import BATCH
from lvmcore.evaluation.statistics import Statistics
from lvmcore.stopping import heed


@attrs.frozen(eq=False)
class Predictor:
    """Anything that can be evaluated, under its name."""

    name: str
    predict: Predict
    sees_target: bool = False


def evaluation_windows(
    corpus: Corpus, splits: Sequence[str], context: int, limit: int | None = None, protocol: Protocol | None = None
) -> dict[str, Windows]:
    """The windows of each split that has any.

    Args:
        limit: at most so many a split.
        protocol: says whether they are spread evenly over the split, and so over its articles, as where nothing is
            said; else they are the first that every test has that many of.

    Raises:
        LvmError: where no split has one.
    """
    found = {split: corpus.windows(split, context) for split in splits}
    kept = {split: windows for split, windows in found.items() if len(windows)}
    if not kept:
        found[splits[0]].require("evaluation")
    if limit is None:
        return kept
    if protocol is None or protocol.spread:
        return {split: _spread(windows, limit) for split, windows in kept.items()}
    return {split: _first(windows, limit, protocol.ahead) for split, windows in kept.items()}


def _spread(windows: Windows, limit: int) -> Windows:
    count = min(limit, len(windows))
    return attrs.evolve(windows, targets=windows.targets[torch.arange(count) * len(windows) // count])


def _first(windows: Windows, limit: int, ahead: int) -> Windows:
    """So many windows that every test finds the limit among them; `ahead` is how far behind a target it reads."""
    corpus, whole, seen = windows.corpus, 0, 0
    for targets in parts(windows.targets, BATCH):
        counted = whole + (targets + ahead < corpus.starts[corpus.article_of[targets] + 1]).cumsum(0)
        if (whole := int(counted[-1])) >= limit:
            return attrs.evolve(windows, targets=windows.targets[: seen + int(torch.searchsorted(counted, limit)) + 1])
        seen += len(targets)
    return windows


def _first_measured(columns: Columns, checks: Iterable[Check], limit: int) -> Columns:
    """Each test's values of the first windows that it could measure, and nothing of the others."""
    groups = [[name for name in columns if check.has(name)] for check in checks]
    apart = [[name] for name in columns if not any(name in group for group in groups)]
    kept: Columns = {}
    for group in [*groups, *apart]:
        if group:
            measured = np.logical_or.reduce([~np.isnan(columns[name]) for name in group])
            beyond = measured.cumsum() > limit
            kept |= {name: np.where(beyond, np.float32(np.nan), columns[name]) for name in group}
    return {name: kept[name] for name in columns}


@torch.inference_mode()
def columns_of(
    predictor: Predictor,
    windows: Windows,
    checks: Sequence[Check],
    *,
    keys: ContentKeys | None = None,
    filter: Predict | None = None,
    first: int | None = None,
    batch_size: int = BATCH,
    progress: Callable[[int], None] = lambda windows: None,
) -> Columns:
    """Run tests over all windows of a split. Memory grows by the columns alone, not by the vectors.

    Args:
        keys: of the split, where several predictors share them.
        filter: what gain and direction are measured against.
        first: keep of each test the values of so many windows that it could measure, the first ones.
        progress: told the number of windows after each batch.
    """
    keys = keys or ContentKeys(windows.corpus, windows.split)
    tests = [check.begin() for check in checks]
    columns: Columns = {}
    done = 0
    for batch in windows.batches(batch_size):
        heed()
        chunk = Chunk(batch, predictor.predict, keys, predictor.sees_target, filter)
        part: dict[str, Tensor] = {"cosine": chunk.cos_next}
        for test in tests:
            part |= test(chunk)
        part["broken"] = chunk.broken
        for name, values in part.items():
            column = columns.setdefault(name, np.full(len(windows), np.nan, np.float32))
            column[done : done + len(values)] = values.float().cpu().numpy()
        done += len(batch.targets)
        progress(len(batch.targets))
    for check in checks:
        if check.fault:
            columns = {name: column for name, column in columns.items() if not check.has(name)}
    if first is not None:
        columns = _first_measured(columns, checks, first)
    for check in checks:
        check.derive(columns)
    return columns


def statistics_of(
    columns: Columns, windows: Windows, resamples: int = 0, seed: int = 0, level: float = 0.95
) -> Statistics:
    """The columns' means, article by article."""
    lengths = windows.corpus.starts.diff()[windows.corpus.splits == SPLITS.index(windows.split)]
    too_short = tuple(lengths[lengths <= windows.context].tolist())
    articles = windows.articles.numpy()
    return Statistics(columns, articles, resamples, seed, too_short, level)


def validate(predict: Predict, windows: Windows, checks: Sequence[Check]) -> dict[str, float]:
    """What is watched after each epoch: the mse of the unit prediction, and every figure that has a key.

    Args:
        checks: those with such figures.
    """
    columns = columns_of(Predictor("validation", predict), windows, checks)
    statistics = statistics_of(columns, windows)
    figures = {one.figure.key: one.column for check in checks for one in check.declared if one.figure.key}
    cosine = statistics.value("cosine")
    loss = {"val_loss": 2 * (1 - cosine) / windows.corpus.dim}
    return loss | {key: statistics.value(column) for key, column in figures.items()}
