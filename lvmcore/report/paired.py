"""Two runs compared window by window, without their models. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import numpy as np
import safetensors.numpy

from lvmcore.errors import LvmError
from lvmcore.evaluation.statistics import FEW, RESAMPLES, Figure, Statistics, few_articles
from lvmcore.runs.run import Run
from lvmcore.variants.gates import ROUNDING

FIGURES = (
    "cosine",
    "A/gain",
    "A/direction",
    "A/margin",
    "A/margin_last",
    "B/all/r1",
    "B/all/r5",
    "B/all/mrr",
    "B/unseen/r1",
    "B/unseen/r5",
    "B/unseen/mrr",
    "C/shuffle",
    "C/reverse",
    "C/leave_one_out",
    "C/repeat",
    "C/foreign",
    "D/score",
    "E/low",
    "E/normal",
    "E/high",
)
LOWER_IS_BETTER = "C/"
"""A model that uses its context loses more when the context is spoilt."""


@attrs.frozen
class Difference:
    """First run less second, on the same windows."""

    split: str
    figure: str
    first: float
    second: float
    difference: Figure
    verdict: str
    """better, worse or can't tell: of the first run"""
    articles: int
    """of the split"""


def compare_paired(first: Run, second: Run) -> list[Difference]:
    """Every figure's paired difference with its 95 % interval from a bootstrap over articles.

    Raises:
        LvmError: a run without per-window figures, or runs that were not evaluated on the same windows.
    """
    ours, theirs = _columns(first), _columns(second)
    splits = [split for split in ("val", "ood", "train") if f"{split}/row" in ours and f"{split}/row" in theirs]
    _check_same_windows(first, second, ours, theirs, splits)
    found = []
    for split in splits:
        names = [name for name in FIGURES if f"{split}/{name}" in ours and f"{split}/{name}" in theirs]
        pairs = {name: ours[f"{split}/{name}"] - theirs[f"{split}/{name}"] for name in names}
        statistics = Statistics(pairs, ours[f"{split}/article"], RESAMPLES)
        for name in names:
            figure = statistics.difference(name)
            if figure.value is not None:
                both = ~np.isnan(pairs[name])
                mine, other = (float(held[f"{split}/{name}"][both].mean(dtype=np.float64)) for held in (ours, theirs))
                verdict = _verdict(name, figure)
                found.append(Difference(split, name, mine, other, figure, verdict, statistics.articles))
    return found


def warnings_of(differences: Iterable[Difference]) -> list[str]:
    """What to be careful about: splits of few articles."""
    few = {one.split: one.articles for one in differences if one.articles < FEW}
    return [few_articles(split, articles) for split, articles in few.items()]


def _verdict(name: str, figure: Figure) -> str:
    if figure.low is None or figure.high is None or (figure.low <= ROUNDING and figure.high >= -ROUNDING):
        return "can't tell"
    return "better" if (figure.low > 0) is not name.startswith(LOWER_IS_BETTER) else "worse"


def _columns(run: Run) -> dict[str, np.ndarray]:
    file = run.path / "windows.safetensors"
    if not file.is_file():
        raise LvmError(
            "the run holds no per-window figures", where=str(file), fix=f"lvm eval {run.path} --save puts them there"
        )
    try:
        return safetensors.numpy.load_file(file)
    except (safetensors.SafetensorError, OSError) as problem:
        raise LvmError(f"the per-window figures cannot be read: {problem}", where=str(file)) from None


def _check_same_windows(
    first: Run, second: Run, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], splits: list[str]
) -> None:
    corpora = [(run.evaluation() or {}).get("corpus", {}) for run in (first, second)]
    protocols = [(run.evaluation() or {}).get("protocol") for run in (first, second)]
    same = splits and all(np.array_equal(ours[f"{s}/row"], theirs[f"{s}/row"]) for s in splits)
    if not same or corpora[0].get("digest") != corpora[1].get("digest") or protocols[0] != protocols[1]:
        raise LvmError(
            "the two runs were not evaluated on the same windows by the same protocol",
            where=f"{first.path.name}: {corpora[0].get('name')}, {protocols[0]}; "
            f"{second.path.name}: {corpora[1].get('name')}, {protocols[1]}",
            fix=f"lvm eval {second.path} --data {(first.record.get('variant') or {}).get('data', 'EXPR')} --save",
        )
