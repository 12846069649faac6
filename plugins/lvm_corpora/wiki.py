"""Real encyclopaedia text, in the wheel."""

from __future__ import annotations

from lvm_corpora.bundled import bundled
from lvmcore import Corpus, component


@component
class Wiki:
    """English Wikipedia articles, all-MiniLM-L6-v2, 384 channels; articles on places are out of domain.

    Vectors of text under CC BY-SA; the source and the titles are in the file's header.
    """

    def build(self) -> Corpus:
        return bundled("wiki")
