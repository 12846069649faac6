"""The declared form of an evaluation, `"schema": 1`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

import attrs

from lvmcore.evaluation.fivecat.ablations import Ablations
from lvmcore.evaluation.fivecat.coherence import CoherenceBins
from lvmcore.evaluation.fivecat.offsets import OffsetSweep
from lvmcore.evaluation.fivecat.retrieval import RetrievalResult
from lvmcore.evaluation.fivecat.rollout import Rollout
from lvmcore.evaluation.statistics import Figure

SCHEMA = 1


@attrs.frozen
class SplitResult:
    """The five tests on one split. All figures are cosines, rates or differences of them."""

    cosine: Figure
    windows: int
    articles: int
    A: OffsetSweep
    B: RetrievalResult
    C: Ablations
    D: Rollout
    E: CoherenceBins


def figures_of(kind: type, offsets: Sequence[str]) -> list[str]:
    """The dotted names of the single figures in a part of a result: `all.r1`, `margin`, `offsets.+1`."""
    names: list[str] = []
    for name, hint in get_type_hints(kind).items():
        if hint is Figure:
            names.append(name)
        elif hint == dict[str, Figure]:
            names += [f"{name}.{offset}" for offset in offsets]
        for part in {hint, *get_args(hint)} - {Figure}:
            names += [f"{name}.{below}" for below in figures_of(part, offsets)] if attrs.has(part) else []
    return names


@attrs.frozen
class Measured:
    """What one predictor got: the splits, and |normal(VAL) − normal(OOD)| of test E."""

    splits: dict[str, SplitResult]
    E_delta: Figure


@attrs.frozen
class Condition:
    """One gate and what came of it."""

    letter: str
    figure: str
    split: str
    condition: str
    value: float | None
    holds: bool | None
    """None where it can't be measured."""


@attrs.frozen
class GateResult:
    """Which letters of a profile passed, and why those that did not, did not."""

    profile: str
    letters: dict[str, bool | None]
    """None where a letter can't be measured; that counts as not passed."""
    why: dict[str, str]
    conditions: tuple[Condition, ...]

    @property
    def passed(self) -> int:
        return sum(outcome is True for outcome in self.letters.values())

    def document(self) -> dict[str, Any]:
        return {
            "profile": self.profile,
            **self.letters,
            "passed": self.passed,
            "of": len(self.letters),
            "why": self.why,
            "conditions": [attrs.asdict(condition) for condition in self.conditions],
        }
