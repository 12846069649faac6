"""A variant: architecture, loss, inputs, sampler, training settings and stages, under a name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs
from attrs.validators import ge, gt, instance_of, le, lt, optional

from lvmcore.errors import LvmError, unknown
from lvmcore.variants.published import Reported

EPOCHS, WINDOWS, ROWS = 1_000_000, 2**31 - 1, 10_000
"""At most: of a run, of a step, and of context."""

BASE = "base"
"""The variant that holds the common settings; every other extends it unless it names another."""


@attrs.frozen(kw_only=True)
class Stage:
    """A part of a run. What it leaves out is the variant's; it may change nothing that alters a tensor's shape.

    Only the learning rate's course goes on from stage to stage, until one names a `schedule` or an `lr`.
    """

    name: str
    epochs: int = attrs.field(validator=[instance_of(int), ge(1), le(EPOCHS)])
    gates: str | None = None
    """The profile that must pass for the run to go on."""
    arch: str | None = None
    loss: str | None = None
    inputs: str | None = None
    sampler: str | None = None
    schedule: str | None = None
    batch_size: int | None = attrs.field(default=None, validator=optional([ge(1), le(WINDOWS)]))  # pyright: ignore
    lr: float | None = attrs.field(default=None, validator=optional([gt(0), lt(math.inf)]))  # pyright: ignore


TOLD = ("name", "stages", "title", "approach", "date", "source", "reported")
"""What says which variant it is, and is no setting."""

STAGED = ("arch", "loss", "inputs", "sampler", "batch_size")
"""What a stage has from its variant where it says nothing."""


@attrs.frozen(kw_only=True)
class SettledStage:
    """A stage with what it leaves out; without schedule and learning rate where these go on."""

    name: str
    epochs: int
    gates: str | None = None
    arch: str
    loss: str
    inputs: str
    sampler: str
    batch_size: int
    schedule: str | None = None
    lr: float | None = None

    @property
    def recipe(self) -> tuple[str, str]:
        """What a model is built from."""
        return self.arch, self.inputs


@attrs.frozen(kw_only=True)
class Variant:
    """An architecture, a loss, inputs, a sampler and training settings, under a name."""

    name: str
    arch: str
    loss: str
    inputs: str
    sampler: str
    schedule: str
    optimizer: str
    data: str
    context: int = attrs.field(validator=[instance_of(int), ge(1), le(ROWS)])
    epochs: int = attrs.field(validator=[instance_of(int), ge(1), le(EPOCHS)])
    batch_size: int = attrs.field(validator=[instance_of(int), ge(1), le(WINDOWS)])
    lr: float = attrs.field(validator=[gt(0), lt(math.inf)])
    weight_decay: float = attrs.field(validator=ge(0))
    clip: float = attrs.field(validator=gt(0))
    ema: float = attrs.field(default=0.0, validator=[ge(0), lt(1)])
    """Decay of the average of the weights over the steps, which is then what is validated and kept; 0: none."""
    best: str
    patience: int | None = attrs.field(default=None, validator=optional([ge(1), le(EPOCHS)]))  # pyright: ignore
    """Epochs without a better one after which the run ends; None: it goes to its end."""
    gates: str
    stages: tuple[Stage, ...] = ()
    title: str = ""
    approach: str = ""
    date: str = ""
    source: str = ""
    reported: Reported | None = None

    @property
    def plan(self) -> tuple[SettledStage, ...]:
        """The stages with what they leave out; one that covers all epochs where none are named."""
        stages = self.stages or (Stage(name="all", epochs=self.epochs),)
        return tuple(self._settled(stage, first=number == 0) for number, stage in enumerate(stages))

    def _settled(self, stage: Stage, first: bool) -> SettledStage:
        given = attrs.asdict(stage, filter=lambda field, value: value is not None)
        shared = {key: getattr(self, key) for key in STAGED}
        course = {"schedule": self.schedule, "lr": self.lr} if first or stage.schedule or stage.lr else {}
        return SettledStage(**(shared | course | given))

    def override(self, settings: Mapping[str, Any]) -> Variant:
        """The same variant with settings from the command line; `epochs` scales the stages in proportion.

        Raises:
            LvmError: a setting that is out of range, or that every stage has its own of.
        """
        changed = {key: value for key, value in settings.items() if value is not None}
        known = [field.name for field in attrs.fields(Variant) if field.name not in TOLD]
        for key in changed:
            if key not in known:
                raise unknown("setting", key, known, where="a variant's settings", fix="see docs/variants.md")
        for key in changed.keys() & set(STAGED):
            if self.stages and all(getattr(stage, key) is not None for stage in self.stages):
                raise LvmError(
                    f"--{key.replace('_', '-')} would change nothing: every stage of '{self.name}' has its own {key}",
                    where="the command line",
                    expected=f'a variant of your own in registry.toml: extends = "{self.name}", and other stages',
                    fix=f"lvm show {self.name}",
                )
        try:
            variant = attrs.evolve(self, **changed)
        except (ValueError, TypeError) as problem:
            raise LvmError(str(problem.args[0]), where="the command line") from None
        if self.stages and variant.epochs != self.epochs:
            variant = attrs.evolve(variant, stages=_scaled(self.stages, variant.epochs))
        return variant


def _scaled(stages: tuple[Stage, ...], epochs: int) -> tuple[Stage, ...]:
    """Stages of about the same proportions that sum to `epochs`; one that shrinks to nothing is dropped."""
    total = sum(stage.epochs for stage in stages)
    ends = [round(sum(stage.epochs for stage in stages[: i + 1]) * epochs / total) for i in range(len(stages))]
    lengths = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return tuple(attrs.evolve(stage, epochs=length) for stage, length in zip(stages, lengths, strict=True) if length)
