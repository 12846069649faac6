"""What a corpus is, in figures and words; and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from lvmcore.data.corpus import Corpus
from lvmcore.data.windows import SPLITS
from lvmcore.errors import LvmError
from lvmcore.plain import clean_title

CONTEXT = 5
SHOWN = 5
"""Titles, texts and sources that are named."""


def describe(corpus: Corpus, context: int = CONTEXT) -> dict[str, Any]:
    """Counts, lengths and facts, as JSON can hold them. No row is read.

    Args:
        context: rows of context of the windows that are counted.
    """
    lengths, splits, info = corpus.starts.diff().numpy(), corpus.splits.numpy(), corpus.info
    told = {field.name for field in attrs.fields(type(info))} - {"titles", "sources", "digest", "texts_digest"}
    return {
        "where": corpus.where,
        **{key: clean_title(str(value)) for key, value in attrs.asdict(info).items() if key in told},
        "rows": len(corpus),
        "width": corpus.dim,
        "type": str(corpus.vectors.dtype).removeprefix("torch."),
        "articles": len(splits),
        "splits": {name: _counts(lengths[splits == number], context) for number, name in enumerate(SPLITS)},
        "lengths": dict(zip(("min", "median", "max"), _quantiles(lengths), strict=True)),
        "context": context,
        "sources": dict(Counter(map(clean_title, info.sources)).most_common()),
        "titles": [clean_title(title) for title in info.titles[:SHOWN]],
        "texts": None if corpus.texts is None else [clean_title(text) for text in corpus.texts.take(_first(corpus))],
        "digest": corpus.digest,
    }


def wanting(corpus: Corpus) -> Iterator[str]:
    """What a corpus lacks that every run needs. It may be of use all the same, to evaluate on."""
    for split, use in (("train", "training"), ("val", "validation")):
        try:
            corpus.windows(split).require(use)
        except LvmError as problem:
            yield f"no run can use this corpus: {problem.what}; expected: {problem.expected}"


def _counts(lengths: np.ndarray, context: int) -> dict[str, int]:
    windows = np.maximum(lengths - context, 0)
    return {"articles": len(lengths), "rows": int(lengths.sum()), "windows": int(windows.sum())}


def _quantiles(lengths: np.ndarray) -> list[int]:
    """The least, the middle one and the greatest."""
    return [int(at) for at in np.quantile(lengths, (0, 0.5, 1), method="lower")] if len(lengths) else [0, 0, 0]


def _first(corpus: Corpus) -> range:
    return range(min(2, len(corpus)))
