"""Real encyclopaedia text, in the wheel."""

from __future__ import annotations

from pathlib import Path

from lvmcore import Corpus, component


@component
class Wiki:
    """English Wikipedia articles, all-MiniLM-L6-v2, 384 channels; articles on places are out of domain.

    Vectors of text under CC BY-SA; the source and the titles are in the file's header.
    """

    def build(self) -> Corpus:
        return Corpus.open(Path(__file__).parent / "bundled" / "wiki.safetensors")
