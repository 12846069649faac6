"""What a further test of the evaluation promises."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from lvmcore.evaluation.checks import shape_fault
from lvmcore.evaluation.chunk import Chunk
from lvmcore.evaluation.content import ContentKeys
from lvmcore.testing.material import CONTEXT, corpus
from lvmcore.testing.promises import Subject, expect, promise

HELD = 8


def chunk(kind: str = "the last row", part: slice = slice(None)) -> Chunk:
    """Consecutive windows under evaluation, with a predictor that is as simple as can be."""
    held = corpus()
    windows = held.windows("val", CONTEXT)
    predictors = {
        "the last row": lambda context, target: context[:, -1],
        "the target": lambda context, target: target,
        "nothing": lambda context, target: torch.zeros_like(target),
    }
    batch = windows.take(torch.arange(HELD)[part])
    return Chunk(batch, predictors[kind], ContentKeys(held, "val"), sees_target=kind == "the target")


def figures(subject: Subject, given: Chunk) -> Mapping[str, Tensor]:
    return subject.make().build()(given)


@promise("check")
def letter_is_its_own(subject: Subject) -> None:
    """Its class has a letter from F to Z that no other check has, and a title."""
    letter = str(getattr(subject.component, "letter", ""))
    expect(re.fullmatch("[F-Z]", letter), f"its letter is {letter!r}")
    letters = [getattr(one.component, "letter", "") for one in subject.registry.all("check")]
    expect(letters.count(letter) == 1, f"another check has the letter {letter}")
    expect(getattr(subject.component, "title", ""), "its class has no title")


@promise("check")
def figures_are_declared(subject: Subject) -> None:
    """It declares what it measures: each figure with a name of its own and a line of help, and gives all of them."""
    for text, made in subject.settings():
        problem = shape_fault(made, CONTEXT)
        expect(not problem, f"{problem}{text}")
        declared = made.figures(CONTEXT)
        names = [figure.name for figure in declared]
        expect(len(set(names)) == len(names), f"a figure is declared twice{text}")
        bare = [figure.name for figure in declared if not figure.help]
        expect(not bare, f"without help: {', '.join(bare)}{text}")
        wanted = {f.name for f in declared if f.derive is None and f.aggregate != "spread"}
        lacking = wanted - set(figures(subject, chunk()))
        expect(not lacking, f"declared, but never measured: {', '.join(sorted(lacking))}{text}")


@promise("check")
def gives_a_figure_a_window(subject: Subject) -> None:
    """It gives floats (B,) by name, NaN where a window cannot be measured; also for the oracle and a broken model."""
    for kind in ("the last row", "the target", "nothing"):
        given = figures(subject, chunk(kind))
        for name, values in given.items():
            fits = isinstance(values, Tensor) and values.shape == (HELD,) and values.is_floating_point()
            expect(fits, f"'{name}' is no float tensor of shape ({HELD},) where {kind} is predicted")
            expect(not values.isinf().any(), f"'{name}' is infinite where {kind} is predicted")


@promise("check")
def figures_do_not_depend_on_the_batch(subject: Subject) -> None:
    """A window's figures are the same in another chunk, and the second time."""
    whole, again = figures(subject, chunk()), figures(subject, chunk())
    halves = [figures(subject, chunk(part=part)) for part in (slice(None, HELD // 2), slice(HELD // 2, None))]
    for name, values in whole.items():
        expect(torch.equal(values.nan_to_num(), again[name].nan_to_num()), f"'{name}' differs the second time")
        joined = torch.cat([half[name] for half in halves])
        same = torch.allclose(values, joined, atol=1e-5, equal_nan=True)
        expect(same, f"'{name}' of a window depends on the other windows of its chunk")
