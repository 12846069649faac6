"""Two runs compared window by window, without their models. Needs no torch."""

from __future__ import annotations

import re
from typing import Any

import attrs
import numpy as np
import safetensors.numpy

from lvmcore.errors import LvmError
from lvmcore.evaluation.figures import Estimate, Figure
from lvmcore.evaluation.statistics import FEW, RESAMPLES, Statistics, few_articles
from lvmcore.registry import Registry
from lvmcore.report.columns import declared_in
from lvmcore.runs.run import Run
from lvmcore.variants.gates import ROUNDING

SPLITS = ("val", "ood", "train")
"""In the order in which they are told."""


@attrs.frozen
class Difference:
    """First run less second, on the same windows."""

    split: str
    figure: str
    """Its key: `A.margin`."""
    label: str
    first: float
    second: float
    difference: Estimate
    verdict: str
    """better, worse or can't tell: of the first run"""
    articles: int
    """of the split"""


@attrs.frozen
class Paired:
    """Two runs, window by window."""

    first: str
    second: str
    differences: tuple[Difference, ...]

    @property
    def warnings(self) -> list[str]:
        """What to be careful about: splits of few articles."""
        few = {one.split: one.articles for one in self.differences if one.articles < FEW}
        return [few_articles(split, articles) for split, articles in few.items()]

    def records(self) -> list[dict[str, Any]]:
        """A flat row a figure, for programs."""
        rows = []
        for one in self.differences:
            held = attrs.asdict(one)
            rows.append({**held, **{f"difference_{key}": value for key, value in held.pop("difference").items()}})
        return [{key: value for key, value in row.items() if key != "difference"} for row in rows]

    def document(self) -> dict[str, Any]:
        """As `lvm compare --paired --format json` prints it."""
        rows = [attrs.asdict(one) for one in self.differences]
        return {"schema": 1, "first": self.first, "second": self.second, "differences": rows, "warnings": self.warnings}


def compare_paired(first: Run, second: Run, registry: Registry) -> Paired:
    """The paired difference of every figure of which more or less is better, from a bootstrap over articles.

    Raises:
        LvmError: a run without per-window figures, or runs that were not evaluated on the same windows.
    """
    ours, theirs = _columns(first), _columns(second)
    splits = [split for split in SPLITS if f"{split}/row" in ours and f"{split}/row" in theirs]
    _check_same_windows(first, second, ours, theirs, splits)
    figures = [one for one in declared_in(first.document_by() or {}, registry).values() if one.figure.better]
    found = []
    for split in splits:
        held = [one for one in figures if all(f"{split}/{one.column}" in columns for columns in (ours, theirs))]
        pairs = {one.key: ours[f"{split}/{one.column}"] - theirs[f"{split}/{one.column}"] for one in held}
        statistics = Statistics(pairs, ours[f"{split}/article"], RESAMPLES)
        for one in held:
            difference = statistics.difference(one.key)
            if difference.value is not None:
                both = ~np.isnan(pairs[one.key])
                own, other = (
                    float(columns[f"{split}/{one.column}"][both].mean(dtype=np.float64)) for columns in (ours, theirs)
                )
                verdict, label = _verdict(one.figure, difference), one.figure.label
                found.append(Difference(split, one.key, label, own, other, difference, verdict, statistics.articles))
    return Paired(first.path.name, second.path.name, tuple(found))


def _verdict(figure: Figure, found: Estimate) -> str:
    if found.low is None or found.high is None or (found.low <= ROUNDING and found.high >= -ROUNDING):
        return "can't tell"
    return "better" if (found.low > 0) is (figure.better == "higher") else "worse"


def _columns(run: Run) -> dict[str, np.ndarray]:
    file = run.path / "windows.safetensors"
    if not file.is_file():
        raise LvmError(
            "the run holds no per-window figures", where=str(file), fix=f"lvm eval {run.path} --save puts them there"
        )
    try:
        return {_renamed(name): column for name, column in safetensors.numpy.load_file(file).items()}
    except (safetensors.SafetensorError, OSError) as problem:
        raise LvmError(f"the per-window figures cannot be read: {problem}", where=str(file)) from None


def _renamed(name: str) -> str:
    """A column under the name that it has today; until 0.1 the cosine in a bin of E was `E/low`."""
    return f"{name}/cosine" if re.fullmatch(r"\w+/E/\w+", name) else name


def _check_same_windows(
    first: Run, second: Run, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], splits: list[str]
) -> None:
    corpora = [(run.document_by() or {}).get("corpus", {}) for run in (first, second)]
    protocols = [(run.document_by() or {}).get("protocol") for run in (first, second)]
    same = splits and all(np.array_equal(ours[f"{s}/row"], theirs[f"{s}/row"]) for s in splits)
    if not same or corpora[0].get("digest") != corpora[1].get("digest") or protocols[0] != protocols[1]:
        raise LvmError(
            "the two runs were not evaluated on the same windows by the same protocol",
            where=f"{first.path.name}: {corpora[0].get('name')}, {protocols[0]}; "
            f"{second.path.name}: {corpora[1].get('name')}, {protocols[1]}",
            fix=f"lvm eval {second.path} --data {(first.record.get('variant') or {}).get('data', 'EXPR')} --save",
        )
