"""The predictor that knows a world's law: what a model could reach there."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from lvm_corpora.world import WorldCorpus
from lvmcore import Corpus, LvmError, component


@component
class Dynamics:
    """Knows how the states of a `world` move; on any other corpus there is nothing that it could know."""

    role: ClassVar[str] = "law"

    def build(self, corpus: Corpus, context: int) -> Callable[[Tensor], Tensor]:
        """
        Raises:
            LvmError: the corpus is no world.
        """
        if not isinstance(corpus, WorldCorpus):
            raise LvmError(
                "predictor 'dynamics' knows the law of a planted world, and this corpus is none",
                where=corpus.where,
                expected="a corpus `world`",
                fix="lvm eval dynamics --data world",
            )
        return corpus.world.predictor()
