"""The training loop: stages, epochs, steps. It reads from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lvmcore.checkpoint import load_model, save_model
from lvmcore.data.corpus import Corpus
from lvmcore.data.indices import Indices, parts
from lvmcore.data.windows import Batch
from lvmcore.device import autocast
from lvmcore.evaluation.checks import best_by, watched
from lvmcore.evaluation.measurement import validate
from lvmcore.expression import parse_one
from lvmcore.listeners import Listeners
from lvmcore.model import LatentVectorModel, build_model, rebuilt, restore
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.stopping import heed
from lvmcore.training.collapse import CollapseWatch
from lvmcore.training.epoch import EpochRecord
from lvmcore.training.objective import Value, descend, gradient_norms
from lvmcore.training.stages import BeginSchedule, PreparedStage, generator_of, prepare
from lvmcore.training.step import Step
from lvmcore.training.validation import ResolvedStage
from lvmcore.variants.variant import SettledStage, Variant

PROBES = 2
"""Steps of an epoch at which each term's gradient is measured, which costs a backward pass a term."""

StageGate = Callable[[LatentVectorModel, str], str]
"""Judges a stage's best weights by a profile; gives the reason why the run may not go on, or nothing."""


@attrs.frozen(kw_only=True)
class Conditions:
    """How a variant is carried out."""

    seed: int = 0
    precision: str = "fp32"
    """fp32 or bf16; `auto` is resolved before."""
    size: str = "full"
    on_collapse: str = "stop"
    """stop, rollback (best weights again, half the learning rate) or continue"""


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
        self.recipe = self.stages[0].stage.recipe
        self.watched, self.better = watched(registry, variant.context), best_by(registry)
        # nothing that is drawn in between, here or elsewhere, changes what this run draws
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(conditions.seed)
            self.model = build_model(*self.recipe, corpus.dim, variant.context, registry, conditions.size)
            self.random = torch.get_rng_state()
        for prepared in self.stages[1:]:
            self._rebuilt(prepared.stage)
        optimizer = registry.make("optimizer", parse_one(variant.optimizer))
        self.optimizer: Optimizer = optimizer.build(self.model.parameters(), variant.lr, variant.weight_decay)
        self.schedule: LRScheduler
        self.course: BeginSchedule
        self.course_lr, self.course_steps = variant.lr, 0
        self.epoch = 0
        self.records: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}
        self.watch = CollapseWatch()

    def train(self) -> Outcome:
        """Every stage in turn, on random numbers of the run's own."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.random)
            return self._train()

    def _train(self) -> Outcome:
        self.tell("lvm_run_started", run=self.run)
        status, reason = "finished", ""
        for prepared in self.stages:
            self._begin(prepared)
            stage = prepared.stage
            status, reason = self._stage(stage)
            judged = self._best_model() if status == "finished" and stage.gates else None
            if judged and stage.gates and (why := self.gate(judged, stage.gates)):
                status, reason = "gate-failed", f"stage {stage.name}: {why}"
            if status != "finished":
                break
        if status == "stopped early":  # that is an end as good as the last epoch
            status = "finished"
        return Outcome(status, reason, self._best_model())

    def _begin(self, prepared: PreparedStage) -> None:
        """Make a stage's settings the current ones."""
        stage = prepared.stage
        self.model, self.recipe = self._rebuilt(stage), stage.recipe
        self.objective, self.sampler, self.batch_size = prepared.objective, prepared.sampler, stage.batch_size
        if prepared.schedule:
            assert stage.lr is not None
            self.course, self.course_steps, self.course_lr = prepared.schedule, 0, stage.lr
            self._begin_course()
        self.tell("lvm_stage_started", run=self.run, stage=stage, steps_per_epoch=prepared.steps)

    def _begin_course(self) -> None:
        """Start the learning rate on what is left of its course."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] = self.course_lr
        self.schedule = self.course(self.optimizer, self.course_steps)

    def _rebuilt(self, stage: SettledStage) -> LatentVectorModel:
        """The model under a stage's recipe; itself, where that is the same."""
        if stage.recipe == self.recipe:
            return self.model
        return rebuilt(self.model, *stage.recipe, self.registry, self.conditions.size)

    def _stage(self, stage: SettledStage) -> tuple[str, str]:
        for _ in range(stage.epochs):
            self.epoch += 1
            self.tell("lvm_epoch_started", run=self.run, epoch=self.epoch)
            record = self._epoch(EpochRecord(self.epoch, stage.name, self.optimizer.param_groups[0]["lr"]))
            collapse = self.watch.see(record)
            if collapse:
                record["events"].append(collapse)
            elif self._is_best(record):
                self._keep(record)
            self.records.append(record)
            self.run.write_epochs(self.records)
            self.tell("lvm_epoch_finished", run=self.run, record=record)
            if collapse and self.conditions.on_collapse == "stop":
                return "collapsed", collapse
            if collapse and self.conditions.on_collapse == "rollback":
                self._roll_back()
            since = self.epoch - self.best.get("epoch", 0)
            if self.variant.patience and since >= self.variant.patience:
                return "stopped early", f"no better {self.variant.best} in {since} epochs"
        return "finished", ""

    def _epoch(self, record: EpochRecord) -> dict[str, Any]:
        """One pass over the sampler's windows, then validation."""
        began = time.perf_counter()
        self.model.train()
        self.model.set_epoch(self.epoch)
        record.inputs = self.model.strengths
        order = self._order(self.epoch)
        steps = -(-len(order) // self.batch_size)
        probes = {round(i * steps / PROBES) for i in range(PROBES)}
        for number, index in enumerate(parts(order, self.batch_size)):
            heed()
            values, norm = self._step(self.train_windows.take(index), record if number in probes else None)
            record.step(values, norm, len(index))
            self.course_steps += 1
            if not norm.isfinite():
                record.event(f"the gradient is not finite at step {number + 1}")
                break
            if not isinstance(self.schedule, ReduceLROnPlateau):
                self.schedule.step()
            terms = {label: value.weighted.detach() for label, value in values.items()}
            self.tell("lvm_step_finished", run=self.run, step=number + 1, terms=terms)
        record.seconds = time.perf_counter() - began
        validation = validate(self._predict, self.val_windows, self.watched)
        if isinstance(self.schedule, ReduceLROnPlateau):
            before = self.optimizer.param_groups[0]["lr"]
            self.schedule.step(validation["val_loss"])
            if (after := self.optimizer.param_groups[0]["lr"]) != before:
                record.event(f"learning rate {before:g} → {after:g}")
        return record.document(validation, time.perf_counter() - began)

    def _step(self, batch: Batch, probe: EpochRecord | None) -> tuple[dict[str, Value], Tensor]:
        """Forward, backward, one step of the optimizer."""
        step = Step(batch=batch, raw=self._forward(batch.context), epoch=self.epoch, model=self._forward)
        values = self.objective(step)
        if probe is not None and len(values) > 1:
            probe.gradients(gradient_norms(values, self.model))
        norm = descend(values, self.model, self.optimizer, self.variant.clip)
        if probe is not None and len(values) == 1:  # the whole gradient is the term's
            probe.gradients(dict.fromkeys(values, float(norm)))
        return values, norm

    def _forward(self, context: Tensor) -> Tensor:
        """Raw prediction in float32, whatever the model computes in."""
        with autocast(self.conditions.precision):
            return self.model(context).float()

    def _predict(self, context: Tensor, _: Tensor) -> Tensor:
        self.model.eval()
        return self._forward(context)

    def _order(self, epoch: int) -> Indices:
        """The windows of an epoch in training order."""
        return self.sampler(epoch, generator_of(self.conditions.seed, epoch))

    def _is_best(self, record: dict[str, Any]) -> bool:
        new, old = record[self.variant.best], self.best.get("value")
        if new is None or new != new:
            return False
        return old is None or (new > old if self.better[self.variant.best] else new < old)

    def _keep(self, record: dict[str, Any]) -> None:
        """These are the best weights so far: write them."""
        record["best"] = True
        self.best = {"epoch": self.epoch, "metric": self.variant.best, "value": record[self.variant.best]}
        about = {
            "run": self.run.path.name,
            "variant": self.variant.name,
            "corpus": self.corpus.facts,
            "data": self.variant.data,
            "best": self.best,
            "val_cos": record["val_cos"],
            "parameters": self.model.parameter_count,
            "precision": self.conditions.precision,
            "versions": self.run.record["versions"],
        }
        save_model(self.run.model_file, self.model, about)
        self.run.update(best=self.best)

    def _best_model(self) -> LatentVectorModel | None:
        """The best weights so far, from the disk: a later stage may have changed the recipe since."""
        if not self.best:
            return None
        return load_model(self.run.model_file, self.registry)[0]

    def _roll_back(self) -> None:
        """After a collapse: the best weights, no moments, half the learning rate."""
        if best := self._best_model():
            restore(self.model, best)
        self.optimizer.state.clear()
        if isinstance(self.schedule, ReduceLROnPlateau):
            for group in self.optimizer.param_groups:
                group["lr"] /= 2
        else:  # it computes the rate of every step, and would undo a change: what is left of the course begins anew
            self.course_lr /= 2
            self._begin_course()
