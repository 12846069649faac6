"""`start`, `stop` and `ramp`: when a term acts, in epochs. The options that the terms of some kinds share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from attrs.validators import ge, gt, le, optional

from lvmcore.components import component, make, option
from lvmcore.errors import LvmError


@component
class Timing:
    """When a term acts, in epochs that count from 1 over the whole run."""

    value: ClassVar[str] = ""
    """Which of these options the value after the colon sets; none: the first of the component's own."""

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
    def of(cls, given: Mapping[str, str], where: str) -> Self:
        """Read the options of a term.

        Args:
            where: the term, for errors.
        """
        return make(cls, given, where=where)


@component
class LossTiming(Timing):
    """When and how strongly a loss acts."""

    value: ClassVar[str] = "weight"

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
    def of(cls, given: Mapping[str, str], where: str) -> Self:
        if {"weight", "share"} <= set(given):
            raise LvmError("a term has a weight or a share, not both", where=where)
        return super().of(given, where)
