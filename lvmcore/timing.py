"""`start`, `stop` and `ramp`: the options that every loss and input has besides its own."""

from __future__ import annotations

from typing import Self

import attrs
from attrs.validators import ge, gt, le, optional

from lvmcore.components import component, make, option
from lvmcore.errors import LvmError
from lvmcore.expression import Term


@component
class Schedule:
    """When a term acts, in epochs that count from 1 over the whole run."""

    start: int = option(default=1, help="first epoch", validator=ge(1))
    stop: int | None = option(default=None, help="last epoch", validator=optional(ge(1)))
    ramp: int = option(default=1, help="epochs until the full value", validator=ge(1))

    def __attrs_post_init__(self) -> None:
        if self.stop is not None and self.stop < self.start:
            raise ValueError(f"stop={self.stop} lies before start={self.start}")

    def factor(self, epoch: int) -> float:
        """0 … 1: how much of the full value holds at an epoch."""
        if epoch < self.start or (self.stop is not None and epoch > self.stop):
            return 0.0
        return min(1.0, (epoch - self.start + 1) / self.ramp)

    @classmethod
    def of(cls, term: Term) -> Self:
        """The schedule that a term's options describe; options of others are left aside."""
        return cls._made(term.options, str(term))

    @classmethod
    def _made(cls, options: dict[str, str], where: str) -> Self:
        return make(cls, {key: text for key, text in options.items() if key in cls.names()}, where=where)

    @classmethod
    def names(cls) -> frozenset[str]:
        return frozenset(field.name for field in attrs.fields(cls))


@component
class LossSchedule(Schedule):
    """When and how strongly a loss acts."""

    weight: float = option(default=1.0, help="factor on the raw loss; the value after the colon", validator=ge(0))
    share: float | None = option(
        default=None,
        help="hold the weighted term at this fraction of the first term, instead of a weight",
        validator=optional([gt(0), le(100)]),  # pyright: ignore
    )

    def strength(self, epoch: int) -> float:
        """The weight at an epoch, or the share of a term that has one."""
        return (self.weight if self.share is None else self.share) * self.factor(epoch)

    @classmethod
    def of(cls, term: Term) -> Self:
        if term.value is not None and "weight" in term.options:
            raise LvmError("the weight is given twice", where=str(term), expected="name:weight")
        weight = {} if term.value is None else {"weight": term.value}
        made = cls._made({**weight, **term.options}, str(term))
        if made.share is not None and (weight or "weight" in term.options):
            raise LvmError("a term has a weight or a share, not both", where=str(term))
        return made
