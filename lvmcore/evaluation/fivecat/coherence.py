"""Test E, coherence bins: does the prediction hold where the text jumps, and where it flows?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from lvmcore.components import component, option
from lvmcore.evaluation.figures import COSINE, Columns, Count, Figure
from lvmcore.evaluation.rows import cosine, where

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.evaluation.chunk import Chunk
    from lvmcore.evaluation.statistics import Statistics

BINS = ("low", "normal", "high")


@component
class CoherenceBins:
    """Windows by the mean cosine of their adjacent context pairs: under one bound, between them, over the other."""

    letter: ClassVar[str] = "E"
    title: ClassVar[str] = "coherence bins"

    low: float = option(default=0.45, help="coherence under which a window is in the low bin")
    high: float = option(default=0.55, help="coherence over which a window is in the high bin")

    def figures(self, context: int) -> tuple[Figure, ...]:
        of = {
            "low": f"in windows of coherence under {self.low:g}",
            "normal": f"in windows of coherence {self.low:g} to {self.high:g}",
            "high": f"in windows of coherence over {self.high:g}",
        }
        return (
            *(
                Figure(f"{name}.cosine", name, help=f"cosine {of[name]}", range=COSINE, better="higher")
                for name in BINS
            ),
            Figure(
                "delta",
                "|normal VAL − OOD|",
                help="how far the normal bin's cosine is apart on VAL and OOD",
                aggregate="spread",
                of="normal.cosine",
                better="lower",
            ),
            *(
                Figure(
                    f"{name}.gain",
                    f"gain, {name}",
                    help=f"gain {of[name]}",
                    better="higher",
                    signed=True,
                )
                for name in BINS
            ),
        )

    def counts(self) -> tuple[Count, ...]:
        return tuple(Count(f"{name}.windows", of=f"{name}.cosine", aside="windows l, n, h") for name in BINS)

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        def measure(chunk: Chunk) -> dict[str, Tensor]:
            """cos(p, x_t) and gain under the name of the bin that the window is in."""
            context = chunk.batch.context
            inside = self.inside(cosine(context[:, 1:], context[:, :-1]).mean(1))
            columns = {f"{name}.cosine": where(mask, chunk.cos_next) for name, mask in inside.items()}
            return columns | {f"{name}.gain": where(mask, chunk.gain) for name, mask in inside.items()}

        return measure

    def inside(self, coherence: Tensor) -> dict[str, Tensor]:
        """Which windows (B,) are in each bin."""
        between = (coherence >= self.low) & (coherence <= self.high)
        return {"low": coherence < self.low, "normal": between, "high": coherence > self.high}

    def remarks(self, name: str, split: str, columns: Columns, statistics: Statistics) -> Iterator[str]:
        """Bins that few articles meet; where the whole split has few, the evaluation says so."""
        if not statistics.resamples or statistics.articles < statistics.few:
            return
        met = {bin_: statistics.articles_with(f"{self.letter}/{bin_}/cosine") for bin_ in BINS}
        if few := ", ".join(f"{bin_} {articles}" for bin_, articles in met.items() if 0 < articles < statistics.few):
            said = f"{split}: bins of E that fewer than {statistics.few} articles meet ({few})"
            yield f"{said}; their intervals cover less often than {statistics.level * 100:g} %"
