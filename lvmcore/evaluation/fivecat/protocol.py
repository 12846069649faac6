"""Protocol `5cat`: the five tests, with intervals, yardsticks and whatever plugins add."""

from __future__ import annotations

from attrs.validators import and_, ge, gt, lt

from lvmcore.components import component, option
from lvmcore.evaluation.fivecat.ablations import Ablations
from lvmcore.evaluation.fivecat.coherence import CoherenceBins
from lvmcore.evaluation.fivecat.offsets import OffsetSweep
from lvmcore.evaluation.fivecat.retrieval import Retrieval
from lvmcore.evaluation.fivecat.rollout import Rollout
from lvmcore.evaluation.protocols import Protocol


@component
class FiveCat:
    """5CAT, docs/5cat.md: does a model predict forward, or only return something like what it was given?"""

    resamples: int = option(default=1000, help="resamples of the bootstrap; 0: no intervals", validator=ge(0))
    seed: int = option(default=0, help="seed of the resampling and of the ablations", validator=ge(0))
    level: float = option(default=0.95, help="level of the intervals", validator=and_(gt(0), lt(1)))
    horizon: int = option(default=5, help="steps of test D", validator=ge(1))
    low: float = option(default=0.45, help="test E: coherence under which a window is in the low bin")
    high: float = option(default=0.55, help="test E: coherence over which a window is in the high bin")

    def __attrs_post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low={self.low} lies above high={self.high}")

    def build(self) -> Protocol:
        return Protocol(
            tests=(
                OffsetSweep(),
                Retrieval(),
                Ablations(),
                Rollout(horizon=self.horizon),
                CoherenceBins(low=self.low, high=self.high),
            ),
            resamples=self.resamples,
            seed=self.seed,
            level=self.level,
        )
