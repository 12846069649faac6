"""The protocols by name: which tests, over which offsets and candidates, with or without intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
from torch import Tensor

from lvmcore.errors import unknown
from lvmcore.evaluation import legacy
from lvmcore.evaluation.chunk import Chunk
from lvmcore.evaluation.fivecat import ablations, coherence, direction, offsets, retrieval, rollout

Test = Callable[[Chunk], Mapping[str, Tensor]]
"""Per-window columns of one chunk, NaN where a window can't be measured."""


@attrs.frozen
class Protocol:
    """How figures are measured. A test may keep a state over the windows of a split, so each split gets new ones."""

    name: str
    tests: Callable[[], Sequence[Test]]
    offsets: Callable[[int], list[str]]
    resamples: int
    """0: figures without intervals."""
    spread: bool = True
    """Whether a limited number of windows is spread over the split; else it is the first."""


FIVECAT = Protocol(
    "5cat",
    lambda: (
        offsets.measure,
        direction.measure,
        retrieval.measure,
        ablations.measure,
        rollout.measure,
        coherence.measure,
    ),
    offsets.offset_names,
    resamples=1000,
)
FIVECAT_2025 = Protocol("5cat-2025", legacy.tests, legacy.offset_names, resamples=0, spread=False)

PROTOCOLS = {protocol.name: protocol for protocol in (FIVECAT, FIVECAT_2025)}


def protocol_of(name: str) -> Protocol:
    """A protocol by name."""
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS, where="--protocol", fix=None)
    return PROTOCOLS[name]
