"""Text in the same order in every article, in the wheel."""

from __future__ import annotations

from lvm_corpora.bundled import bundled
from lvmcore import Corpus, component


@component
class Factbook:
    """Country profiles of the World Factbook, all-MiniLM-L6-v2, 384 channels; Africa is out of domain.

    A country is an article, and all have the same fields in the same order, which can be learnt: half text, half
    table. Vectors of text in the public domain.
    """

    def build(self) -> Corpus:
        return bundled("factbook")
