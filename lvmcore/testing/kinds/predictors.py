"""What a predictor without training promises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.errors import LvmError
from lvmcore.evaluation.predictors import ORACLE, role_of
from lvmcore.testing.kinds import corpora
from lvmcore.testing.material import BATCH, CONTEXT, corpus, odd_contexts, rows
from lvmcore.testing.promises import Subject, expect, promise


def home(subject: Subject) -> Corpus:
    """A small corpus; or, where the predictor refuses that, the first of its own distribution that it takes."""
    refusal: LvmError | None = None
    own = [one for one in subject.registry.all("corpus") if one.plugin.dist == subject.plugin.dist]
    light = [one.component for one in own if not getattr(one.component, "heavy", False)]
    for build in (corpus, *(partial(corpora.built, component) for component in light)):
        try:
            subject.make().build(found := build(), CONTEXT)
        except LvmError as problem:
            refusal = refusal or problem
        else:
            return found
    assert refusal is not None
    raise refusal


def built(subject: Subject, held: Corpus, made: Any = None) -> Callable[[Tensor], Tensor]:
    """The predictor on a corpus; targets, where it sees them, are random rows."""
    predictor = (made or subject.make()).build(held, CONTEXT)
    if role_of(subject.registered) == ORACLE:
        return lambda context: predictor(context, rows(len(context), held.dim, seed=9))
    return predictor


def contexts(held: Corpus) -> Tensor:
    """Some contexts of a corpus (B, C, D)."""
    windows = held.windows("train", CONTEXT)
    return windows.take(torch.arange(0, len(windows), max(1, len(windows) // BATCH))[:BATCH]).context.clone()


@promise("predictor")
def answers_any_context(subject: Subject) -> None:
    """Contexts (B, C, D), also such as ablations make, give finite predictions (B, D)."""
    held = home(subject)
    for text, made in subject.settings():
        predictor = built(subject, held, made)
        for what, context in (("an ordinary context", contexts(held)), *odd_contexts(contexts(held))):
            given = predictor(context)
            expect(given.shape == (len(context), held.dim), f"{tuple(given.shape)} for {what}{text}")
            expect(given.isfinite().all(), f"not finite for {what}{text}")


@promise("predictor")
def the_same_context_gets_the_same_answer(subject: Subject) -> None:
    """The answer depends neither on the batch nor on the call, and the context is not written to."""
    held = home(subject)
    predictor, context = built(subject, held), contexts(held)
    together = predictor(context)
    expect(torch.equal(context, contexts(held)), "it writes into its context")
    expect(torch.equal(together, predictor(contexts(held))), "two calls differ")
    if role_of(subject.registered) == ORACLE:
        return  # its answer is the target's
    alone = torch.cat([predictor(one[None]) for one in contexts(held)])
    apart = float((together - alone).abs().max())
    expect(apart <= 1e-4, f"a window alone is answered otherwise than in its batch, by {apart:.1e}")


@promise("predictor")
def is_fit_alike_each_time(subject: Subject) -> None:
    """Fit twice on the same corpus, it gives the same answers, whatever the global seed."""
    held = home(subject)
    torch.manual_seed(1)
    one = built(subject, held)(contexts(held))
    torch.manual_seed(2)
    expect(torch.equal(one, built(subject, held)(contexts(held))), "two fits on one corpus differ")
