"""The training loop: stages, epochs, steps. It reads from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs
import torch
from torch import Tensor
from torch.optim import Optimizer

from lvmcore.data.corpus import Corpus
from lvmcore.data.indices import Indices
from lvmcore.data.store.placed import Sent
from lvmcore.data.windows import Batch
from lvmcore.device import autocast, forked, products, random_state, set_random_state
from lvmcore.evaluation.checks import best_by, watched
from lvmcore.evaluation.measurement import validate
from lvmcore.expression import parse_one
from lvmcore.listeners import Listeners
from lvmcore.model import LatentVectorModel, build_model, fit, rebuilt, restore
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.stopping import Stopped, heed
from lvmcore.training.ahead import ahead
from lvmcore.training.average import Average
from lvmcore.training.collapse import CollapseWatch, Remedy
from lvmcore.training.compiled import Compiled
from lvmcore.training.epoch import EpochRecord
from lvmcore.training.objective import Value, descend, gradient_norms
from lvmcore.training.saving import Best, Interval, Saving
from lvmcore.training.stages import Course, PreparedStage, generator_of, prepare
from lvmcore.training.state import TrainerState, memory_of_samplers, require_resumable
from lvmcore.training.step import Step
from lvmcore.training.validation import ResolvedStage
from lvmcore.variants.variant import SettledStage, Variant

PROBES = 2
"""Steps of an epoch at which each term's gradient is measured, which costs a backward pass a term."""

LOOK = 50
"""Steps on a device after which it is seen whether all could be taken; until then nothing waits for it."""

StageGate = Callable[[LatentVectorModel, str], str]
"""Judges a stage's best weights by a profile; gives the reason why the run may not go on, or nothing."""


@attrs.frozen(kw_only=True)
class Conditions:
    """How a variant is carried out."""

    seed: int = 0
    precision: str = "fp32"
    """fp32, tf32 or bf16; `auto` is resolved before."""
    compile: bool = False
    """Whether steps run through torch.compile."""
    device: str = "cpu"
    """Where it is trained and evaluated; `auto` is resolved before."""
    room: int | None = None
    """Bytes that the corpus's rows may take there; None for half of what is free."""
    size: str = "full"
    on_collapse: str = "stop"
    """stop, rollback (best weights again, half the weight of the term that is to blame) or continue"""
    save_every: Interval | None = None
    """When the state is saved besides at the end of every epoch."""


@attrs.frozen
class Outcome:
    """How the training ended."""

    status: str
    reason: str
    model: LatentVectorModel | None
    """With its best weights; None where no epoch gave any."""


class Trainer:
    """Carries a variant out on a corpus; what it writes goes to the run folder as it comes."""

    def __init__(
        self,
        variant: Variant,
        stages: Sequence[ResolvedStage],
        corpus: Corpus,
        registry: Registry,
        run: Run,
        conditions: Conditions,
        gate: StageGate,
        listeners: Listeners,
    ) -> None:
        self.variant, self.corpus, self.registry, self.run = variant, corpus, registry, run
        self.conditions, self.gate = conditions, gate
        self.tell = listeners.tell
        self.train_windows = corpus.windows("train", variant.context).require("training")
        self.val_windows = corpus.windows("val", variant.context).require("validation")
        self.stages = prepare(stages, self.train_windows, conditions.seed)
        self.number, self.recipe = 0, self.stages[0].stage.recipe
        self.watched = watched(registry, variant.context)
        # nothing that is drawn in between, here or elsewhere, changes what this run draws
        with forked(corpus.device):
            torch.manual_seed(conditions.seed)
            self.model = build_model(*self.recipe, corpus.dim, variant.context, registry, conditions.size)
            self.random = random_state(corpus.device)
            fit(self.model.to(corpus.device), self.train_windows)
        for prepared in self.stages[1:]:
            self._rebuilt(prepared.stage)
        optimizer = registry.make("optimizer", parse_one(variant.optimizer))
        self.optimizer: Optimizer = optimizer.build(self.model.trained(), variant.lr, variant.weight_decay)
        self.average = Average(variant.ema)
        self.course = Course(self.optimizer, self.stages)
        self.compiled = self._compiled()
        self.epoch = 0
        self.record: EpochRecord | None = None
        """Of the epoch under way."""
        self.drawn_from = memory_of_samplers(self.stages)
        """What the samplers remembered when its order was drawn."""
        self.records: list[dict[str, Any]] = []
        self.best = Best(variant.best, best_by(registry)[variant.best], run)
        self.watch, self.remedy = CollapseWatch(), Remedy()
        self.verdict: tuple[str, str] | None = None
        """Status and reason, when it is over."""
        self.saving = Saving(self, conditions.save_every)
        require_resumable(variant.optimizer, optimizer, self.model, self.stages)

    def train(self) -> Outcome:
        """Every stage in turn, on random numbers of the run's own."""
        with forked(self.corpus.device):
            set_random_state(self.random, self.corpus.device)
            self.saving.save(strict=True)  # whatever ends the run from here on, it can be resumed
            self.tell("lvm_run_started", run=self.run)
            while self.verdict is None:
                self._stage()
            if self.saving.failing:
                self.saving.save(strict=True)
            return Outcome(*self.verdict, self._best_model())

    @property
    def prepared(self) -> PreparedStage:
        """The stage under way."""
        return self.stages[self.number]

    def _stage(self) -> None:
        """The epochs of the stage that are left, and its gate."""
        prepared, stage = self.prepared, self.prepared.stage
        self.tell("lvm_stage_started", run=self.run, stage=stage, steps_per_epoch=prepared.steps)
        last = sum(one.stage.epochs for one in self.stages[: self.number + 1])
        while self.verdict is None and (self.record or self.epoch < last):
            self._epoch()
        if self.verdict:
            return
        judged = self._best_model() if stage.gates else None
        if judged and stage.gates and (why := self.gate(judged, stage.gates)):
            self.verdict = "gate-failed", f"stage {stage.name}: {why}"
        elif self.number + 1 == len(self.stages):
            self.verdict = "finished", ""
        else:
            self.enter(self.number + 1)

    def enter(self, number: int) -> None:
        """Make a stage's settings the current ones."""
        stage = self.stages[number].stage
        self.model, self.recipe, self.number = self._rebuilt(stage), stage.recipe, number
        self.course.enter(number)
        self.compiled = self._compiled()

    def _rebuilt(self, stage: SettledStage) -> LatentVectorModel:
        """The model under a stage's recipe; itself, where that is the same."""
        if stage.recipe == self.recipe:
            return self.model
        return rebuilt(self.model, *stage.recipe, self.registry, self.conditions.size)

    def _compiled(self) -> Compiled | None:
        """The model of the stage, compiled where that is asked for."""
        if not self.conditions.compile:
            return None
        size = self.prepared.stage.batch_size
        return Compiled.of(self.model, size, self.conditions.precision, self.corpus.device)

    def _epoch(self) -> None:
        """Train and validate once, and see what follows from it."""
        if self.record is None:
            self.epoch += 1
            self.drawn_from = memory_of_samplers(self.stages)
            self.record = EpochRecord(self.epoch, self.prepared.stage.name, self.course.rate)
        self.tell("lvm_epoch_started", run=self.run, epoch=self.epoch)
        try:
            record, fault = self._pass(self.record), self.record.fault
        except Stopped:
            self.saving.save()
            raise
        self.record = None
        self.records.append(record)
        if collapse := self.watch.see(record, fault):
            self._collapsed(record, collapse)
        elif self.best.beaten_by(record):
            self.best.take(record)
            self.best.hold(self, record)
        since = self.epoch - self.best.epoch
        if self.verdict is None and self.variant.patience and since >= self.variant.patience:
            self.verdict = "finished", f"no better {self.variant.best} in {since} epochs"
        if said := self.saving.save():
            record["events"].append(said)
        self.tell("lvm_epoch_finished", run=self.run, record=record)

    def _pass(self, record: EpochRecord) -> dict[str, Any]:
        """One pass over the sampler's windows, or what is left of it, then validation."""
        began = time.perf_counter() - record.seconds
        self.model.train()
        self.model.set_epoch(self.epoch)
        record.inputs = self.model.strengths
        order, size = self._order(), self.prepared.stage.batch_size
        steps = -(-len(order) // size)
        probes = {round(i * steps / PROBES) for i in range(PROBES)}
        for number, batch in self._batches(order, size, range(record.steps, steps)):
            heed()
            values, norm, taken = self._step(batch, record if number in probes else None)
            record.step(values, norm, len(batch.targets))
            record.seconds = time.perf_counter() - began
            if taken and self.corpus.device.type != "cpu" and (record.steps % LOOK == 0 or record.steps == steps):
                taken = record.sound(LOOK)
            self.course.step(taken)
            if not taken:
                record.fault = self._fault(batch, values, record)
                break
            self.average.step(self.model)
            terms = {label: value.weighted.detach() for label, value in values.items()}
            self.tell("lvm_step_finished", run=self.run, step=number + 1, terms=terms)
            if self.saving.due() and number + 1 < steps:  # else the epoch's end is near
                if said := self.saving.save():
                    record.event(said)
                began = time.perf_counter() - record.seconds
        with self.average.within(self.model):
            validation = validate(self._predict, self.val_windows, self.watched)
        if said := self.course.end_epoch(validation["val_loss"]):
            record.event(said)
        return record.document(validation, time.perf_counter() - began)

    def _batches(self, order: Indices, size: int, numbers: range) -> Iterator[tuple[int, Batch]]:
        """The steps of an epoch that are left; where rows are sent to a device, two are on their way ahead of time."""
        batches = ((number, self.train_windows.take(order[number * size : (number + 1) * size])) for number in numbers)
        return ahead(batches) if isinstance(self.corpus.placed, Sent) else batches

    def _order(self) -> Indices:
        """The windows of the epoch in training order."""
        return self.prepared.sampler(self.epoch, generator_of(self.conditions.seed, self.epoch))

    def _values(self, batch: Batch, compiled: Compiled | None = None) -> dict[str, Value]:
        """Forward, and what the terms say of it."""
        forward = partial(self._forward, compiled=compiled)
        step = Step(batch=batch, raw=forward(batch.context), epoch=self.epoch, model=forward)
        return self.prepared.objective(step, self.remedy.eased)

    def _step(self, batch: Batch, probe: EpochRecord | None) -> tuple[dict[str, Value], Tensor, bool]:
        """Forward, backward, one step of the optimizer, unless something is not finite."""
        apart = probe is not None and len(self.prepared.objective.active(self.epoch)) > 1
        values = self._values(batch, None if apart else self.compiled)  # whose graph is for one backward
        with products(self.conditions.precision, self.corpus.device.type):
            if probe is not None and apart:
                probe.gradients(gradient_norms(values, self.model))
            norm, taken = descend(values, self.model, self.optimizer, self.variant.clip)
        if probe is not None and not apart:  # the whole gradient is the term's
            probe.gradients(dict.fromkeys(values, float(norm)))
        return values, norm, taken

    def _fault(self, batch: Batch, values: dict[str, Value], record: EpochRecord) -> str:
        """Which terms were not finite at a step, or the gradients of which; the weights stayed as they were."""
        what, at_fault = "loss", [label for label, value in values.items() if not value.weighted.isfinite()]
        if not at_fault:
            with forked(self.corpus.device):  # once more, for the gradients of the terms apart
                norms = gradient_norms(self._values(batch), self.model)
            record.gradients(norms)
            what, at_fault = "gradient", [label for label, norm in norms.items() if not math.isfinite(norm)]
        return f"the {what} is not finite at step {record.steps}" + (f" ({', '.join(at_fault)})" if at_fault else "")

    def _forward(self, context: Tensor, compiled: Compiled | None = None) -> Tensor:
        """Raw prediction in float32, whatever the model computes in."""
        with autocast(self.conditions.precision, self.corpus.device.type):
            return (compiled or self.model)(context).float()

    def _predict(self, context: Tensor, _: Tensor) -> Tensor:
        self.model.eval()
        return self._forward(context)

    @property
    def is_best_now(self) -> bool:
        """Whether the weights are those of the best epoch."""
        return self.record is None and 0 < self.epoch == self.best.epoch

    def _best_model(self) -> LatentVectorModel | None:
        """The model with the best weights so far, on the device."""
        best = self.best.model(self.registry)
        return best.to(self.corpus.device) if best else None

    def _collapsed(self, record: dict[str, Any], what: str) -> None:
        """End the run, or go back to the best weights, or go on."""
        record["events"].append(what)
        if self.conditions.on_collapse == "rollback" and self.remedy.left:
            record["events"].append(self._roll_back(record))
        elif self.conditions.on_collapse != "continue":
            self.verdict = "collapsed", what + (f", after {self.remedy.count} rollbacks" if self.remedy.count else "")

    def _roll_back(self, record: dict[str, Any]) -> str:
        """The best weights with their moments, and half the weight of the term to blame, or half the learning rate."""
        self.optimizer.state.clear()
        if best := self._best_model():
            restore(self.model, best)
            self.average.forget()
            kept = TrainerState.load(self.run.best_state_file) if self.run.best_state_file.is_file() else None
            if kept and kept.epoch == self.best.epoch:  # the disk may not have taken it
                kept.restore_moments(self)
        if not (done := self.remedy.ease(record["terms"])):
            self.course.halve()
            done = f"the learning rate is halved to {self.course.rate:g}"
        return f"back to the weights of epoch {self.best.epoch}; {done}" if best else done
