"""A second domain, in the wheel."""

from __future__ import annotations

from lvm_corpora.bundled import bundled
from lvmcore import Corpus, component


@component
class Kjv:
    """The King James Bible, a chapter an article, all-MiniLM-L6-v2, 384 channels.

    The New Testament is out of domain. Vectors of text in the public domain.
    """

    def build(self) -> Corpus:
        return bundled("kjv")
