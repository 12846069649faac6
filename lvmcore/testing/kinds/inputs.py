"""What an input encoding promises."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lvmcore.checkpoint import load_model, save_model
from lvmcore.components import options, write
from lvmcore.model import Shape, build_model
from lvmcore.testing.kinds.architectures import base_of, expect_alike
from lvmcore.testing.material import CONTEXT, DIM, contexts
from lvmcore.testing.promises import Subject, expect, promise

MANY = 256
"""Windows: enough that what happens now and then happens."""


def encoded(module: nn.Module, strength: float, seed: int = 0, channels: int = DIM, count: int = MANY) -> Tensor:
    torch.manual_seed(seed)
    return module(contexts(count, channels), torch.tensor(strength))


def strength_of(made: Any) -> float:
    """The full strength: the first option, or 1 where there is none."""
    known = options(type(made))
    return float(getattr(made, known[0].name)) if known else 1.0


def built(made: Any, channels: int = DIM) -> nn.Module:
    torch.manual_seed(0)
    return made.build(Shape(CONTEXT, DIM, channels))


@promise("input")
def rows_keep_their_shape_or_widen(subject: Subject) -> None:
    """A context (B, C, D_in) stays one of the same B and C, with D_in or more channels: always the same number."""
    for text, made in subject.settings():
        for channels in (DIM, DIM + 2):
            module, widths = built(made, channels), set[int]()
            for training in (True, False):
                for strength in (0.0, strength_of(made)):
                    for count in (1, MANY):
                        given = tuple(encoded(module.train(training), strength, 0, channels, count).shape)
                        expect(given[:2] == (count, CONTEXT), f"{(count, CONTEXT, channels)} became {given}{text}")
                        widths.add(given[-1])
            expect(len(widths) == 1, f"the width depends on strength, batch or mode: {sorted(widths)}{text}")
            expect(min(widths) >= channels, f"{channels} channels became {min(widths)}{text}")


@promise("input")
def does_nothing_at_strength_0(subject: Subject) -> None:
    """At strength 0, before its start and after its stop, the channels of a row are what they were."""
    for text, made in subject.settings():
        for training in (True, False):
            given = encoded(built(made).train(training), 0.0)[..., :DIM]
            expect(torch.allclose(given, contexts(MANY), atol=1e-6), f"at strength 0 it changes the rows{text}")


@promise("input")
def what_is_random_acts_in_training_only(subject: Subject) -> None:
    """One that draws random numbers leaves the rows alone in evaluation; any other acts alike in both."""
    for text, made in subject.settings():
        module, strength = built(made).train(), strength_of(made)
        one, two = encoded(module, strength, seed=1), encoded(module, strength, seed=2)
        evaluated = encoded(module.eval(), strength)
        if torch.equal(one, two):
            expect(torch.equal(one, evaluated), f"it acts otherwise in evaluation than in training{text}")
        else:
            expect(torch.equal(evaluated[..., :DIM], contexts(MANY)), f"it changes the rows in evaluation{text}")


@promise("input")
def same_seed_gives_the_same_rows(subject: Subject) -> None:
    """After the same seed it does the same, and it does not write into the context."""
    for text, made in subject.settings():
        module, strength, context = built(made).train(), strength_of(made), contexts(MANY)
        one, two = encoded(module, strength, seed=1), encoded(module, strength, seed=1)
        expect(torch.equal(one, two), f"two calls after one seed differ{text}")
        module(context, torch.tensor(strength))
        expect(torch.equal(context, contexts(MANY)), f"it writes into the context{text}")


@promise("input")
def its_memory_can_be_restored(subject: Subject) -> None:
    """Whatever it has seen, one that is built anew and given its tensors goes on alike: resume needs that."""
    for text, made in subject.settings():
        strength = strength_of(made)
        worn, fresh = built(made).train(), built(made).train()
        for seed in range(3):
            encoded(worn, strength, seed)
        expect_alike(worn, fresh, lambda module, strength=strength: encoded(module, strength), text)


@promise("input")
def a_ramp_is_kept_with_the_weights(subject: Subject) -> None:
    """A model saved in the middle of a ramp is evaluated with the strength that training had reached."""
    first = options(subject.component)[:1]
    given = "".join(f",{item.name}={write(item.default)}" for item in first)
    model = build_model(
        str(base_of(subject.registry)), f"{subject.term}{given},ramp=4", DIM, CONTEXT, subject.registry, size="toy"
    )
    model.set_epoch(2)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / "model.safetensors", model, {})
        again, _ = load_model(Path(folder) / "model.safetensors", subject.registry)
    reached = strength_of(subject.make()) / 2
    for held, when in ((model, "at epoch 2 of a ramp of 4"), (again, "after loading")):
        strength = float(held.inputs[0].strength)  # pyright: ignore[reportArgumentType]
        expect(abs(strength - reached) < 1e-6, f"the strength {when} is {strength}, not {reached}")
    with torch.no_grad():
        expect(torch.equal(model.eval()(contexts()), again(contexts())), "the loaded model predicts something else")
