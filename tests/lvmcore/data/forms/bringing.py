"""Imports files, and keeps what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from lvmcore.corpora import Corpora
from lvmcore.data.corpus import Corpus
from lvmcore.registry import Registry


def bring(sources: Path | Sequence[Path], target: Path, **options: Any) -> tuple[Corpus, list[str]]:
    """The corpus that files make, and the notes about it, but for those on what no run could use."""
    notes: list[str] = []
    lab = Corpora(cast(Registry, None), notes.append)
    corpus = lab.import_(sources, target, **options)
    return corpus, [note for note in notes if not note.startswith("no run can use")]
