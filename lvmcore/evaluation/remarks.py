"""What is worth saying of a predictor's figures on a split, beside the figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lvmcore.evaluation.fivecat.ablations import NAMES
from lvmcore.evaluation.measurement import Columns
from lvmcore.evaluation.statistics import FEW, Statistics

_TINY = 1e-6


def remarks(name: str, split: str, columns: Columns, statistics: Statistics) -> Iterator[str]:
    """Broken predictions, one answer to every context, figures of few articles."""
    if broken := int(np.nansum(columns["broken"])):
        windows = int((columns["broken"] > 0).sum())
        yield (
            f"{name} gave {broken} predictions on {split} that are no direction (not finite, or 0), in {windows} "
            "windows: they count as cosine 0, and not at all where a spoilt or reversed context was asked about"
        )
    spoilt = [columns[f"C/{ablation}"] for ablation in NAMES if f"C/{ablation}" in columns]
    if spoilt and all((np.abs(column[~np.isnan(column)]) < _TINY).all() for column in spoilt) and not broken:
        yield f"{name} answers the same on {split} whatever the context"
    if not statistics.resamples or statistics.articles < FEW:  # of which the evaluation says so as a whole
        return
    met = {figure: statistics.articles_with(f"E/{figure}") for figure in ("low", "normal", "high")}
    if few := ", ".join(f"{figure} {articles}" for figure, articles in met.items() if 0 < articles < FEW):
        said = f"{split}: bins of E that fewer than {FEW} articles meet ({few})"
        yield f"{said}; their intervals cover less often than 95 %"
