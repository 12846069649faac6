"""A corpus inspected, as one value: facts, copies, the forward signal, and what all of it comes to in plain words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs

from lvmcore.data.corpus import Corpus
from lvmcore.errors import LvmError
from lvmcore.inspection.duplicates import Duplicates, duplicates
from lvmcore.inspection.facts import Neighbours, SplitFacts, Spread, neighbours, norms, splits_of
from lvmcore.inspection.plan import Plan
from lvmcore.inspection.sample import drawn
from lvmcore.inspection.signal import Signal, Signals
from lvmcore.inspection.verdict import verdict
from lvmcore.registry import Registry

LOOKED_AT, COMPARED = 100_000, 40_000
"""Rows of which neighbours and exact copies are looked at, and of which each is compared with every other."""


@attrs.frozen(kw_only=True)
class Inspection:
    """What was found; `document()` is the same as plain values."""

    corpus: str
    digest: str
    dim: int
    plan: Plan
    splits: dict[str, SplitFacts]
    norms: Spread | None
    duplicates: Duplicates
    neighbours: Neighbours
    signal: Signal | None
    """None where train or the held-out split has no window."""
    verdict: tuple[str, ...]
    """In plain words: the signal, its direction, more data, margins, copies."""
    notes: tuple[str, ...]
    """What was not looked at, and what to be careful about."""
    seconds: float

    def document(self) -> dict[str, Any]:
        """As `--json` prints it: estimates are {"value", "low", "high"}, null where nothing could be measured."""
        return {"schema": 1, "kind": "inspection", **attrs.asdict(self)}


def inspect(
    corpus: Corpus, registry: Registry, plan: Plan | None = None, say: Callable[[str], None] = lambda said: None
) -> Inspection:
    """Look into a corpus. Memory is bounded whatever its size: what is drawn is said in `notes`.

    Args:
        say: told what is being done.
    """
    plan = plan or Plan()
    began = time.perf_counter()
    splits = splits_of(corpus, plan.context)
    say("neighbours and copies")
    copies, follow, notes = _rows(corpus, splits, plan)
    signal, said = _signal(corpus, registry, plan, say)
    notes += said
    return Inspection(
        corpus=corpus.info.name,
        digest=corpus.digest,
        dim=corpus.dim,
        plan=plan,
        splits=splits,
        norms=norms(corpus),
        duplicates=copies,
        neighbours=follow,
        signal=signal,
        verdict=tuple(verdict(signal, copies, plan.split, notes)),
        notes=tuple(notes),
        seconds=time.perf_counter() - began,
    )


def _rows(corpus: Corpus, splits: dict[str, SplitFacts], plan: Plan) -> tuple[Duplicates, Neighbours, list[str]]:
    """Copies, neighbours, and what is to be said of where they were looked for. What is read for it is let go."""
    chunks = sum(held.chunks for held in splits.values())
    some, few = (_spread(corpus, splits, bound, plan.seed) for bound in (LOOKED_AT, COMPARED))
    notes = [
        f"{what} were looked for among {len(looked):,} of {chunks:,} rows, drawn by article"
        for looked, what in ((some, "neighbours and exact copies"), (few, "near copies"))
        if len(looked) < chunks
    ]
    copies = duplicates(some, few, plan.near)
    return copies, neighbours(some, plan.context, plan.resamples, plan.seed), notes


def _spread(corpus: Corpus, splits: dict[str, SplitFacts], bound: int, seed: int) -> Corpus:
    """Rows of every split, in memory: all of them where they come to no more than the bound.

    Each split has its share of it, but the smaller ones a sixth at least, since that is where a leak shows.
    """
    chunks = sum(held.chunks for held in splits.values())
    shares = {name: max(bound // 6, bound * held.chunks // chunks) for name, held in splits.items()} if chunks else {}
    bounds = {name: held.chunks if chunks <= bound else shares[name] for name, held in splits.items()}
    return drawn(corpus, bounds, seed=seed).of(corpus)


def _signal(
    corpus: Corpus, registry: Registry, plan: Plan, say: Callable[[str], None]
) -> tuple[Signal | None, list[str]]:
    """The forward signal, and what is to be said of how it was measured."""
    bounds = {"train": plan.windows, plan.split: max(1, plan.windows // 4)}
    whole = {split: corpus.windows(split, plan.context) for split in bounds}
    try:
        for split, use in (("train", "the reference model to be fit on"), (plan.split, "a signal to be measured on")):
            whole[split].require(use)
    except LvmError as problem:
        return None, [problem.what]
    part = drawn(corpus, bounds, context=plan.context, seed=plan.seed).of(corpus)
    found = Signals(part, registry, plan, say).measure()
    notes = [
        f"the forward signal was measured with {taken:,} of the {len(whole[split]):,} windows of {split}"
        for split, taken in (("train", found.train_windows), (plan.split, found.windows))
        if taken < len(whole[split])
    ]
    return found, notes
