"""What an architecture promises. A wrapper is tried around the first base that is registered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvmcore.checkpoint import load_model, save_model
from lvmcore.components import make
from lvmcore.expression import Term
from lvmcore.model import LatentVectorModel, Shape, build_model, fit
from lvmcore.registry import Registry
from lvmcore.testing.material import BATCH, CONTEXT, DIM, contexts, corpus, odd_contexts, rows
from lvmcore.testing.promises import Broken, Subject, expect, promise, wraps
from lvmcore.training.state import put_tensors, tensors_of
from lvmcore.trees import pack, unpack

NARROW, WIDENED = Shape(CONTEXT, DIM, DIM), Shape(CONTEXT, DIM, DIM + 2)


def base_of(registry: Registry) -> Term:
    """An architecture that wraps none and looks at the order of the rows."""
    for found in registry.all("architecture"):
        if not wraps(found.component) and not getattr(found.component, "order_blind", False):
            return Term(found.name, dist=found.plugin.dist)
    raise LookupError("no base architecture is registered")


def built(subject: Subject, made: Any = None, shape: Shape = NARROW, seed: int = 0) -> nn.Module:
    """The module, with fresh weights drawn from a seed; a wrapper with its base."""
    made = made or subject.make()
    torch.manual_seed(seed)
    if not wraps(made):
        return made.build(shape)
    base = base_of(subject.registry)
    inner = make(subject.registry.find("architecture", base).component, {}, where=str(base), size="toy")
    return made.build(shape, inner.build(shape))


def model_of(subject: Subject) -> LatentVectorModel:
    """The whole model, as a run builds it."""
    terms = [base_of(subject.registry), subject.term] if wraps(subject.component) else [subject.term]
    torch.manual_seed(0)
    return build_model("+".join(map(str, terms)), "", DIM, CONTEXT, subject.registry, size="toy")


@promise("architecture")
def prediction_has_the_shape_of_a_row(subject: Subject) -> None:
    """A context (B, C, D_in) gives a prediction (B, D), whatever B, and also where inputs have widened the rows."""
    for text, made in subject.settings():
        for shape in (NARROW, WIDENED):
            module = built(subject, made, shape)
            for count in (1, BATCH):
                given = tuple(module(contexts(count, shape.channels)).shape)
                expect(
                    given == (count, DIM),
                    f"a context {(count, CONTEXT, shape.channels)} gave {given}, not {(count, DIM)}{text}",
                )


@promise("architecture")
def every_parameter_gets_a_gradient(subject: Subject) -> None:
    """The prediction depends on every parameter, and every gradient is finite."""
    for text, made in subject.settings():
        module = built(subject, made)
        (module(contexts()) * rows(BATCH, DIM, seed=2)).sum().backward()
        idle = [name for name, held in module.named_parameters() if held.requires_grad and held.grad is None]
        expect(not idle, f"no gradient reaches {', '.join(idle)}{text}")
        bad = [n for n, held in module.named_parameters() if held.grad is not None and not held.grad.isfinite().all()]
        expect(not bad, f"the gradient is not finite: {', '.join(bad)}{text}")


@promise("architecture")
def same_seed_gives_the_same_weights(subject: Subject) -> None:
    """The weights are drawn from torch's generator and from nothing else."""
    one, two = built(subject, seed=3).state_dict(), built(subject, seed=3).state_dict()
    other = [name for name in one if not torch.equal(one[name], two[name])]
    expect(list(one) == list(two) and not other, f"two builds after one seed differ: {', '.join(other)}")


@promise("architecture")
def shapes_are_known_on_meta(subject: Subject) -> None:
    """Built on torch's device `meta` it has the same shapes: a file is held against them before memory is taken."""
    for text, made in subject.settings():
        for shape in (NARROW, WIDENED):
            own = {name: held.shape for name, held in built(subject, made, shape).state_dict().items()}
            try:
                with torch.device("meta"):
                    planned = {name: held.shape for name, held in built(subject, made, shape).state_dict().items()}
            except (RuntimeError, NotImplementedError) as problem:
                raise Broken(f"it cannot be built on meta{text}: {problem}") from None
            expect(own == planned, f"built on meta, it has other tensors{text}")


@promise("architecture")
def order_of_the_rows_matters(subject: Subject) -> None:
    """Another order of the rows gives another prediction; it does not where the class declares `order_blind = True`."""
    module = built(subject).eval()
    with torch.no_grad():
        plain, reversed_ = module(contexts()), module(contexts().flip(1))
    same = torch.allclose(plain, reversed_, rtol=1e-4, atol=1e-6)
    if getattr(subject.component, "order_blind", False):
        expect(same, "it declares itself order_blind, but the order of the rows changes its answer")
    else:
        expect(not same, "the order of the rows makes no difference; declare order_blind = True if that is meant")


@promise("architecture")
def stays_finite(subject: Subject) -> None:
    """Predictions and gradients are finite in float32 and under bfloat16 autocast, for odd contexts too."""
    for precision in (torch.float32, torch.bfloat16):
        module = built(subject)
        for what, context in (("an ordinary context", contexts()), *odd_contexts()):
            module.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
                raw = module(context).float()
            raw.square().sum().backward()
            gradients = [held.grad for held in module.parameters() if held.grad is not None]
            finite = raw.isfinite().all() and all(held.isfinite().all() for held in gradients)
            expect(finite, f"not finite in {precision}: {what}")


@promise("architecture")
def a_saved_model_predicts_the_same_bits(subject: Subject) -> None:
    """Saved and loaded again it predicts bit by bit the same: all that it needs is in its state_dict or its options."""
    model = model_of(subject)
    _train(model, steps=2)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / "model.safetensors", model, {})
        torch.manual_seed(1)  # nothing may come from the same random numbers once more
        again, _ = load_model(Path(folder) / "model.safetensors", subject.registry)
    with torch.no_grad():
        same = torch.equal(model.eval()(contexts()), again(contexts()))
    expect(same, "the loaded model predicts something else; is a tensor kept outside of parameters and buffers?")


@promise("architecture")
def its_memory_can_be_restored(subject: Subject) -> None:
    """Whatever it has seen, one that is built anew and given its tensors goes on alike: resume needs that."""
    for text, made in subject.settings():
        worn, fresh = built(subject, made).train(), built(subject, made).train()
        for seed in range(3):
            worn(contexts(seed=seed))
        expect_alike(worn, fresh, lambda module: module(contexts()), text)


@promise("architecture")
def what_it_takes_from_the_training_windows_is_kept(subject: Subject) -> None:
    """Where it has a method `fit(windows)`, all that this learns is in its parameters and buffers, twice the same."""
    windows = corpus().windows("train", CONTEXT)
    for text, made in subject.settings():
        for shape in (NARROW, WIDENED):
            once, twice, fresh = (built(subject, made, shape).eval() for _ in range(3))
            fit(once, windows)
            for _ in range(2):
                fit(twice, windows)
            context = contexts(channels=shape.channels)
            with torch.no_grad():
                expect(torch.equal(once(context), twice(context)), f"fit once more it predicts something else{text}")
            expect_alike(once, fresh, lambda module, context=context: module(context), text)


def expect_alike(worn: nn.Module, fresh: nn.Module, use: Callable[[nn.Module], Tensor], text: str) -> None:
    """See that a module with the weights and buffers of another does what that does."""
    put_tensors(fresh, deepcopy(unpack(*pack(tensors_of(worn), "module"))))
    given = []
    for module in (worn, fresh):
        torch.manual_seed(9)
        given.append(use(module))
    expect(torch.equal(*given), f"after a resume it goes on otherwise: is something kept outside of its tensors?{text}")


@promise("architecture")
def windows_do_not_see_each_other(subject: Subject) -> None:
    """In evaluation a window gets the same prediction alone as in a batch."""
    for text, made in subject.settings():
        module = built(subject, made).eval()
        with torch.no_grad():
            together = module(contexts())
            alone = torch.cat([module(one[None]) for one in contexts()])
        apart = float((together - alone).abs().max())
        expect(apart <= 1e-5, f"a window alone is answered otherwise than in its batch, by {apart:.1e}{text}")


@promise("architecture")
def evaluation_is_deterministic_and_leaves_the_context_alone(subject: Subject) -> None:
    """In evaluation the same context gets the same prediction twice, and is not written to."""
    module, context = built(subject).eval(), contexts()
    with torch.no_grad():
        same = torch.equal(module(context), module(context))
    expect(same, "two calls in evaluation differ; does it draw random numbers where self.training is False?")
    expect(torch.equal(context, contexts()), "it writes into its context")


@promise("architecture")
def training_lowers_the_error(subject: Subject) -> None:
    """Thirty steps of AdamW on one batch bring the prediction nearer to the target."""
    before, after = _train(model_of(subject), steps=30)
    expect(after < before, f"the squared error went from {before:.4f} to {after:.4f}")


def _train(model: nn.Module, steps: int) -> tuple[float, float]:
    """The squared error in evaluation before and after some steps on one batch."""
    torch.manual_seed(0)
    target, optimizer = rows(BATCH, DIM, seed=4), torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)

    def error() -> Tensor:
        return F.mse_loss(model(contexts()), target)

    def measured() -> float:
        model.eval()
        with torch.no_grad():
            return float(error())

    before = measured()
    for _ in range(steps):
        model.train()
        optimizer.zero_grad()
        error().backward()
        optimizer.step()
    return before, measured()
