"""Every hook of lvm, in the order of a run's life.

A plugin is a module with `@lvmcore.hookimpl` functions of these names. A hook may take fewer arguments than
are listed here, but no others. The hooks that give components are generators or return lists of pairs
`(name, component class)`; import what is heavy inside them, so that commands which need none of it stay quick.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.runs.run import Run

hookspec = pluggy.HookspecMarker("lvm")
hookimpl = pluggy.HookimplMarker("lvm")

Components = Iterable[tuple[str, type]]


@hookspec
def lvm_variants() -> Iterable[Path]:  # pyright: ignore[reportReturnType]
    """TOML files of variants and gate profiles."""


@hookspec
def lvm_corpora() -> Components:  # pyright: ignore[reportReturnType]
    """Corpora: `build() -> Corpus`."""


@hookspec
def lvm_architectures() -> Components:  # pyright: ignore[reportReturnType]
    """Architectures: `build(shape: Shape) -> nn.Module`, or `build(shape, inner)` to wrap another.

    The module maps (B, C, D_in) to the raw prediction (B, D).
    """


@hookspec
def lvm_inputs() -> Components:  # pyright: ignore[reportReturnType]
    """Input encodings: `build(shape: Shape) -> nn.Module` with `forward(context, strength)`.

    It maps (B, C, D_in) to (B, C, D_in or wider). `strength` is the scheduled value of the first option.
    """


@hookspec
def lvm_losses() -> Components:  # pyright: ignore[reportReturnType]
    """Losses: `build() -> Callable[[Step], Tensor]`, a scalar. Weight and schedule are the objective's."""


@hookspec
def lvm_samplers() -> Components:  # pyright: ignore[reportReturnType]
    """Samplers: `build(windows: Windows) -> Callable[[int, Generator], Tensor]`.

    Called with the epoch and a seeded generator, it gives the indices of the windows, in training order.
    """


@hookspec
def lvm_schedules() -> Components:  # pyright: ignore[reportReturnType]
    """Schedules of the learning rate: `build(optimizer, steps, steps_per_epoch) -> LRScheduler`.

    A ReduceLROnPlateau is stepped with the validation loss after each epoch, any other after each step.
    """


@hookspec
def lvm_predictors() -> Components:  # pyright: ignore[reportReturnType]
    """Predictors that need no training, the yardsticks: `build(corpus, context) -> Callable[[Tensor], Tensor]`.

    It maps contexts (B, C, D) to predictions (B, D). With `sees_target = True` on the class it is called
    with the targets (B, D) as well; with `yardstick = False` it is evaluated by name alone, and no cheat.
    """


@hookspec
def lvm_checks() -> Components:  # pyright: ignore[reportReturnType]
    """Further tests of the evaluation: `build() -> Callable[[Chunk], dict[str, Tensor]]`, with a `letter` on the class.

    It gives per-window figures (B,) by name, NaN where not measurable; their means stand under the letter in the
    result, with intervals, and gates may name them.
    """


@hookspec
def lvm_reports() -> Components:  # pyright: ignore[reportReturnType]
    """Formats of `lvm compare`: `build() -> Callable[[Comparison], str | rich renderable]`."""


@hookspec
def lvm_run_started(run: Run) -> None:
    """A run is about to train: its folder exists and its variant is resolved."""


@hookspec
def lvm_stage_started(run: Run, stage: Any, steps_per_epoch: int) -> None:
    """A stage begins. `stage` is a `SettledStage`; a run without stages has one."""


@hookspec
def lvm_epoch_started(run: Run, epoch: int) -> None:
    """An epoch begins; epochs count from 1 over the whole run."""


@hookspec
def lvm_step_finished(run: Run, step: int, terms: dict[str, Tensor]) -> None:
    """An optimiser step is done; `terms` holds each weighted term, detached. `step` counts from 1 in its epoch."""


@hookspec
def lvm_epoch_finished(run: Run, record: dict[str, Any]) -> None:
    """An epoch is done and validated; `record` is its line of epochs.jsonl."""


@hookspec
def lvm_evaluated(model: Any, result: dict[str, Any]) -> None:
    """An evaluation is done; `result` is the JSON document."""


@hookspec
def lvm_run_finished(run: Run) -> None:
    """A run has ended, whatever its status; everything is written."""
