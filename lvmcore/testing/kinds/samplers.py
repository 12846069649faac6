"""What a sampler promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from lvmcore.data.indices import Indices, parts
from lvmcore.data.windows import Windows
from lvmcore.testing.material import CONTEXT, corpus
from lvmcore.testing.promises import Subject, expect, promise

EPOCHS = range(1, 5)


def train_windows(articles: int = 12) -> Windows:
    return corpus(articles).windows("train", CONTEXT)


def drawn(sampler: Callable[[int, Generator], Indices], epoch: int, seed: int = 0) -> Tensor:
    """The whole order of an epoch."""
    return sampler(epoch, Generator().manual_seed(seed))[:]


def built(made: Any) -> Callable[[int, Generator], Indices]:
    return made.build(train_windows())


@promise("sampler")
def indices_are_windows(subject: Subject) -> None:
    """Every epoch it gives indices of windows, `[a:b]` of them a flat int64 tensor: not empty, all in range."""
    for text, made in subject.settings():
        for windows in (train_windows(), train_windows(1)):
            sampler = made.build(windows)
            for epoch in EPOCHS:
                given = drawn(sampler, epoch)
                expect(
                    given.dtype == torch.int64 and given.ndim == 1,
                    f"it gave {given.dtype} {tuple(given.shape)}, not a flat int64 tensor{text}",
                )
                expect(len(given), f"it gave no window of {len(windows)} at epoch {epoch}{text}")
                inside = bool(((given >= 0) & (given < len(windows))).all())
                expect(inside, f"indices from {given.min()} to {given.max()} of {len(windows)} windows{text}")


@promise("sampler")
def any_part_is_that_of_the_whole(subject: Subject) -> None:
    """It has a length, and its parts in turn are the whole: an order may be computed as its windows are asked for."""
    for text, made in subject.settings():
        order, whole = built(made)(1, Generator().manual_seed(0)), drawn(built(made), 1)
        expect(len(order) == len(whole), f"it says that it has {len(order)} windows and gives {len(whole)}{text}")
        for size in (1, 7):
            expect(torch.equal(torch.cat(list(parts(order, size))), whole), f"parts of {size} are not the whole{text}")


@promise("sampler")
def same_seed_and_epoch_give_the_same_windows(subject: Subject) -> None:
    """Built anew, with the same seed and epoch, it gives the same windows in the same order: resume needs that."""
    for text, made in subject.settings():
        one, two = built(made), built(made)
        for epoch in EPOCHS:
            expect(torch.equal(drawn(one, epoch), drawn(two, epoch)), f"epoch {epoch} differs after one seed{text}")
        again, last = drawn(built(made), EPOCHS[-1]), drawn(two, EPOCHS[-1])
        expect(torch.equal(last, again), f"epoch {EPOCHS[-1]} depends on which epochs were asked for before{text}")


@promise("sampler")
def draws_from_its_generator_alone(subject: Subject) -> None:
    """It neither reads nor moves torch's global generator."""
    for text, made in subject.settings():
        torch.manual_seed(1)
        before = torch.get_rng_state()
        one = drawn(built(made), 1)
        expect(torch.equal(before, torch.get_rng_state()), f"it draws from torch's global generator{text}")
        torch.manual_seed(2)
        expect(torch.equal(one, drawn(built(made), 1)), f"the global seed changes what it gives{text}")
