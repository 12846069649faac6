"""What a predictor without training promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lvmcore.testing.material import CONTEXT, DIM, contexts, corpus, odd_contexts, rows
from lvmcore.testing.promises import Subject, expect, promise


def built(subject: Subject, made: Any = None) -> Callable[[Tensor], Tensor]:
    """The predictor on a small corpus; targets, where it sees them, are random rows."""
    predictor = (made or subject.make()).build(corpus(), CONTEXT)
    if getattr(subject.component, "sees_target", False):
        return lambda context: predictor(context, rows(len(context), DIM, seed=9))
    return predictor


@promise("predictor")
def answers_any_context(subject: Subject) -> None:
    """Contexts (B, C, D), also such as ablations make, give finite predictions (B, D)."""
    for text, made in subject.settings():
        predictor = built(subject, made)
        for what, context in (("an ordinary context", contexts()), *odd_contexts()):
            given = predictor(context)
            expect(given.shape == (len(context), DIM), f"{tuple(given.shape)} for {what}{text}")
            expect(given.isfinite().all(), f"not finite for {what}{text}")


@promise("predictor")
def the_same_context_gets_the_same_answer(subject: Subject) -> None:
    """The answer depends neither on the batch nor on the call, and the context is not written to."""
    predictor, context = built(subject), contexts()
    together = predictor(context)
    expect(torch.equal(context, contexts()), "it writes into its context")
    expect(torch.equal(together, predictor(contexts())), "two calls differ")
    if getattr(subject.component, "sees_target", False):
        return  # its answer is the target's
    alone = torch.cat([predictor(one[None]) for one in contexts()])
    apart = float((together - alone).abs().max())
    expect(apart <= 1e-4, f"a window alone is answered otherwise than in its batch, by {apart:.1e}")


@promise("predictor")
def is_fit_alike_each_time(subject: Subject) -> None:
    """Fit twice on the same corpus, it gives the same answers, whatever the global seed."""
    torch.manual_seed(1)
    one = built(subject)(contexts())
    torch.manual_seed(2)
    expect(torch.equal(one, built(subject)(contexts())), "two fits on one corpus differ")
