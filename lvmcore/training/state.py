"""All that a run is at a step, as one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs
import torch
from torch import nn

from lvmcore.device import random_state
from lvmcore.errors import LvmError
from lvmcore.model import Recipe
from lvmcore.training.epoch import EpochRecord
from lvmcore.training.objective import tried
from lvmcore.training.stages import PreparedStage
from lvmcore.trees import pack, read_tree, write_tree

if TYPE_CHECKING:
    from lvmcore.training.trainer import Trainer

KIND = "state of a run"


@attrs.frozen(kw_only=True, eq=False)
class TrainerState:
    """All that a run is at a step. What is loaded from it goes on as if it had never stopped, to the bit."""

    stage: int
    """The number of the stage, from 0."""
    epoch: int
    """The epoch under way, or the last that is done; epochs count from 1 over the whole run."""
    record: dict[str, Any] | None
    """The record of the epoch under way, which says how many of its steps are done; None between epochs."""
    recipe: dict[str, Any]
    """What the model is built from, every option written out."""
    model: dict[str, Any]
    """Weights and buffers, also those that no checkpoint holds."""
    optimizer: dict[str, Any]
    course: dict[str, Any]
    """The learning rate's."""
    losses: list[dict[str, Any]]
    """Of each stage, what its losses remember, by label."""
    samplers: list[dict[str, Any]]
    """Of each stage, what its sampler remembers, as it was when the epoch was drawn."""
    random: list[torch.Tensor]
    """The states of torch's generators: the processor's, and that of the device where it has one."""
    records: list[dict[str, Any]]
    """The epochs that are done."""
    best: dict[str, Any]
    watch: dict[str, Any]
    """Of collapses."""
    remedy: dict[str, Any]
    """What was done against collapses."""
    seconds: float
    """Spent on the run so far."""
    verdict: tuple[str, str] | None
    """Status and reason, where the training ended before its last epoch."""
    average: list[torch.Tensor] = attrs.field(factory=list)
    """The averaged weights, where the variant has such; not there in files of 0.1."""

    @property
    def step(self) -> int:
        """Steps done in the epoch under way."""
        return self.record["steps"] if self.record else 0

    @classmethod
    def of(cls, trainer: Trainer) -> Self:
        """All that a run is now. Tensors are those that it trains on, not copied."""
        record = trainer.record
        return cls(
            stage=trainer.number,
            epoch=trainer.epoch,
            record=record.state_dict() if record else None,
            recipe=attrs.asdict(trainer.model.recipe),
            model=tensors_of(trainer.model),
            optimizer=trainer.optimizer.state_dict(),
            course=trainer.course.state_dict(),
            losses=[memory_of(prepared.objective.parts()) for prepared in trainer.stages],
            samplers=trainer.drawn_from if record else memory_of_samplers(trainer.stages),
            random=random_state(trainer.corpus.device),
            records=trainer.records,
            best=trainer.best.state_dict(current=trainer.is_best_now),
            watch=trainer.watch.state_dict(),
            remedy=trainer.remedy.state_dict(),
            seconds=trainer.run.seconds,
            verdict=trainer.verdict,
            average=trainer.average.held,
        )

    def restore(self, trainer: Trainer) -> None:
        """Let a trainer go on from here, and not from the beginning.

        Raises:
            LvmError: the model is built otherwise now, or the best weights are gone.
        """
        trainer.enter(self.stage)
        self._require_recipe(trainer.model.recipe)
        put_tensors(trainer.model, self.model)
        trainer.average.held = self.average
        trainer.course.load_state_dict(self.course)
        trainer.optimizer.load_state_dict(self.optimizer)
        for prepared, losses, sampler in zip(trainer.stages, self.losses, self.samplers, strict=True):
            remind(prepared.objective.parts(), losses)
            remind({"sampler": prepared.sampler}, sampler)
        trainer.random, trainer.drawn_from = self.random, self.samplers
        trainer.epoch, trainer.records, trainer.verdict = self.epoch, self.records, self.verdict
        trainer.record = EpochRecord.of(self.record) if self.record else None
        trainer.watch.load_state_dict(self.watch)
        trainer.remedy.load_state_dict(self.remedy)
        trainer.best.load_state_dict(self.best)
        if trainer.is_best_now:
            trainer.best.hold(trainer, self.records[-1])
        trainer.best.require()

    def restore_moments(self, trainer: Trainer) -> None:
        """Give a trainer back what optimizer and losses remembered here. Its learning rate goes on along its course."""
        groups = trainer.optimizer.state_dict()["param_groups"]
        trainer.optimizer.load_state_dict({"state": self.optimizer["state"], "param_groups": groups})
        for prepared, losses in zip(trainer.stages, self.losses, strict=True):
            remind(prepared.objective.parts(), losses)

    def _require_recipe(self, now: Recipe) -> None:
        for key, was in self.recipe.items():
            if key != "plugins" and (is_now := getattr(now, key)) != was:
                raise LvmError(
                    f"the model is built otherwise than when the run was begun: {key} was '{was}' and is '{is_now}'",
                    expected="the versions of lvm and of the plugins that run.json holds",
                )

    def save(self, path: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            MachineError: the disk is full, or the folder cannot be written.
        """
        write_tree(path, KIND, {field.name: getattr(self, field.name) for field in attrs.fields(TrainerState)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it back.

        Raises:
            LvmError: there is none, or it is damaged.
        """
        held = read_tree(path, KIND)
        fields = attrs.fields(TrainerState)
        needed = {one.name for one in fields if one.default is attrs.NOTHING}
        if not needed <= set(held) <= {one.name for one in fields}:
            raise LvmError("the state of the run is that of another lvm", where=str(path))
        return cls(**held)


def tensors_of(module: nn.Module) -> dict[str, Any]:
    """Weights and all buffers of a module by name, and what else it keeps in its state_dict."""
    return dict(module.named_buffers()) | module.state_dict()


def put_tensors(module: nn.Module, state: Mapping[str, Any]) -> None:
    """Give a module the weights and buffers of another of its kind, in place.

    Raises:
        LvmError: they do not fit.
    """
    kept = module.state_dict()
    buffers = {name: held for name, held in module.named_buffers() if name not in kept}
    try:
        module.load_state_dict({name: held for name, held in state.items() if name not in buffers})
        for name, held in buffers.items():
            held.copy_(state[name])
    except (KeyError, RuntimeError) as problem:
        raise LvmError(f"the weights do not fit the model: {problem}") from None


def memory_of(parts: Mapping[str, Any]) -> dict[str, Any]:
    """What losses or samplers remember, by label: the state_dict of those that have one and can load it."""
    return {label: part.state_dict() for label, part in parts.items() if _remembers(part)}


def memory_of_samplers(stages: Sequence[PreparedStage]) -> list[dict[str, Any]]:
    """What the sampler of each stage remembers, which it may go on to change."""
    return [deepcopy(memory_of({"sampler": prepared.sampler})) for prepared in stages]


def remind(parts: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
    """Give losses or samplers back what they remembered.

    Raises:
        LvmError: other ones remember something now than did then.
    """
    if (now := {label for label, part in parts.items() if _remembers(part)}) != set(memory):
        said = f"{', '.join(sorted(now ^ set(memory)))} remembers something now, or did then, and not both"
        raise LvmError(said, expected="the plugins that the run was begun with")
    for label, held in memory.items():
        parts[label].load_state_dict(held)


def _remembers(part: Any) -> bool:
    return all(callable(getattr(part, name, None)) for name in ("state_dict", "load_state_dict"))


def require_resumable(named: str, optimizer: Any, model: nn.Module, stages: Sequence[PreparedStage]) -> None:
    """See at the beginning of a run that all that it is can be saved.

    Args:
        named: the optimizer, as the variant names it.
        optimizer: its component.

    Raises:
        LvmError: what a component remembers can't be, naming the component and what in its state is at fault.
    """
    trial, _ = tried(optimizer)
    _require_savable(f"optimizer '{named}'", trial.state_dict())
    _require_savable("the model", tensors_of(model))
    for prepared in stages:
        if prepared.schedule:
            _require_savable(f"schedule '{prepared.stage.schedule}'", prepared.schedule(trial, 0).state_dict())
        for label, memory in memory_of(prepared.objective.parts()).items():
            _require_savable(f"loss '{label}'", memory)
        _require_savable(f"sampler '{prepared.stage.sampler}'", memory_of({"sampler": prepared.sampler}))


def _require_savable(what: str, state: Any) -> None:
    try:
        pack(state, what)
    except LvmError as problem:
        said = f"a run with {what} could not be resumed: {problem.what}"
        raise LvmError(said, where=problem.where, expected=problem.expected) from None
