"""What an exported file says beside the vectors: its articles, and where they come from."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import attrs
import numpy as np

from lvmcore.data.corpus import OF_ENCODER, OF_TEXT, Corpus, CorpusInfo
from lvmcore.plain import clean_title

ABOUT = "lvm"
"""The key under which an exported file says where its vectors come from, as JSON."""
FACTS = (*OF_ENCODER, *OF_TEXT)


def about(info: CorpusInfo) -> str:
    """The facts of a corpus as JSON."""
    return json.dumps({key: value for key, value in attrs.asdict(info).items() if key in FACTS}, ensure_ascii=False)


def facts_of(text: str) -> dict[str, str]:
    """The facts in such a text; none, where it is no such text."""
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    held = {key: said.get(key) for key in FACTS} if isinstance(said, dict) else {}
    return {key: clean_title(value) for key, value in held.items() if isinstance(value, str)}


@attrs.frozen(kw_only=True)
class Writing:
    """How a corpus is to be written.

    Args:
        texts: those of the chunks too, where there are any.
        context: rows of context of expanded windows.
    """

    texts: bool = True
    context: int = 5


class Outline:
    """The articles of a corpus that have rows: no form but a corpus can hold one without."""

    def __init__(self, corpus: Corpus) -> None:
        lengths = corpus.starts.diff().numpy()
        there = lengths > 0
        self.lengths: np.ndarray = lengths[there]
        """(A,)"""
        self.splits: np.ndarray = corpus.splits.numpy()[there]
        """(A,) uint8"""
        self.titles = _of(corpus.info.titles, there)
        self.sources = _of(corpus.info.sources, there)
        self.dtype = corpus.vectors[:0].numpy().dtype
        empty = int((~there).sum())
        self.notes = [f"{empty} articles without rows were left out: what is written has another digest"] * bool(empty)

    @cached_property
    def number(self) -> np.ndarray:
        """(N,): the article of each row."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @cached_property
    def within(self) -> np.ndarray:
        """(N,): each row's place in its article."""
        return np.arange(len(self.number)) - np.repeat(self.begins, self.lengths)

    @property
    def begins(self) -> np.ndarray:
        """(A,): the first row of each article."""
        return self.lengths.cumsum() - self.lengths


def _of(names: tuple[str, ...], there: np.ndarray) -> tuple[str, ...]:
    return tuple(name for name, has in zip(names, there, strict=True) if has) if names else ()
