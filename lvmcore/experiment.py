"""One experiment from end to end: resolve a variant, train it, evaluate it, write the run down."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import torch

from lvmcore.checkpoint import begin_from
from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.device import facts, processor_name
from lvmcore.errors import LvmError, because
from lvmcore.evaluation.document import Evaluation
from lvmcore.evaluation.evaluator import CAUSAL, Evaluator, profile_of, save_columns
from lvmcore.evaluation.predictors import predictor_of_model, yardsticks
from lvmcore.evaluation.protocols import DEFAULT
from lvmcore.evaluation.settings import Settings
from lvmcore.listeners import Listeners
from lvmcore.model import LatentVectorModel
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.training.state import TrainerState
from lvmcore.training.trainer import Conditions, Trainer
from lvmcore.training.validation import ResolvedStage
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import Variant

Progress = Callable[[str, int, int], None]


@attrs.frozen(kw_only=True)
class Experiment:
    """A variant to carry out, and how."""

    variant: Variant
    stages: tuple[ResolvedStage, ...]
    conditions: Conditions
    registry: Registry
    catalogue: Catalogue
    overrides: dict[str, Any] = attrs.field(factory=dict)
    """What the command line has changed of the variant; for the record."""
    init: Path | None = None
    """The model file whose weights it begins with, in place of drawn ones."""
    asked_init: str = ""
    """How that was named."""
    state: TrainerState | None = None
    """Where it goes on from, if it was begun before."""
    ignore_gates: bool = False
    evaluated: bool = True
    """Whether the best weights are evaluated when they are trained."""
    tags: tuple[str, ...] = ()
    progress: Progress = lambda what, done, total: None
    own: tuple[object, ...] = ()
    """Objects with `@hookimpl` methods that listen beside the plugins."""
    precision: str
    """fp32, tf32 or bf16: what is trained and evaluated in; what was asked for is a condition."""

    def carry_out(self, run: Run) -> None:
        """Train, evaluate and record.

        A mistake found before the first epoch takes the folder away again, unless the run was begun before; after it,
        everything that was written stays, and the status says how far the run came.

        Raises:
            LvmError, KeyboardInterrupt: after the run has been given its status.
        """
        listeners = Listeners(self.registry.plugins.manager, self.own)
        try:
            trainer, corpus = self._prepare(run, listeners)
        except BaseException:
            run.delete() if self.state is None else run.release()
            raise
        phase = ""
        try:
            outcome = trainer.train()
            phase = "during the evaluation"
            if outcome.model is not None:
                run.update(recipe=attrs.asdict(outcome.model.recipe))  # that of the best weights' stage
                if self.evaluated:
                    evaluation = self.evaluate(run, outcome.model, corpus, listeners)
                    run.update(note=below_floor(evaluation, self.registry))
            _finish(run, listeners, outcome.status, outcome.reason)
        except KeyboardInterrupt:
            _finish(run, listeners, "interrupted", f"stopped by the user {phase or f'in epoch {trainer.epoch}'}")
            raise
        except (Exception, SystemExit) as problem:  # a loss may try to exit
            with suppress(LvmError):  # the disk is full: the folder stays marked as running, and reads as interrupted
                _finish(run, listeners, "failed", because(problem))
            raise
        finally:
            listeners.tell("lvm_run_finished", run=run)
            if (said := list(listeners.faults.values())) != run.record.get("warnings"):  # who failed at the very end
                with suppress(LvmError):
                    run.update(warnings=said)
            run.release()

    def evaluate(self, run: Run, model: LatentVectorModel, corpus: Corpus, listeners: Listeners) -> Evaluation:
        """5CAT of a run's best weights, kept in its folder."""
        predictor = predictor_of_model(run.path.name, model, self.precision)
        settings = Settings(profile=self.variant.gates, context=self.variant.context)
        evaluator = Evaluator(corpus, self.registry, self.catalogue, settings, self.progress, listeners)
        found = evaluator.evaluate(predictor)
        save_evaluation(run, found)
        return found

    def _prepare(self, run: Run, listeners: Listeners) -> tuple[Trainer, Corpus]:
        variant = self.variant
        for profile in (variant.gates, CAUSAL, *(stage.gates for stage in variant.stages if stage.gates)):
            profile_of(profile, self.catalogue, self.registry, self.variant.context)
        corpus = open_corpus(variant.data, self.registry).on(self.conditions.device, self.conditions.room)
        conditions = attrs.evolve(self.conditions, precision=self.precision)
        gate = self._gate(corpus, listeners)
        if self.state:
            self._require_same(corpus, run)
        trainer = Trainer(variant, self.stages, corpus, self.registry, run, conditions, gate, listeners)
        if self.init:
            run.record["init"] = {"asked": self.asked_init, **begin_from(trainer.model, self.init, self.registry)}
        if self.state:
            self.state.restore(trainer)
            run.go_on(self.state.seconds, epoch=self.state.epoch, step=self.state.step)
            run.write_epochs(self.state.records)  # what lay beyond the state is done again
        run.update(
            variant=attrs.asdict(variant),
            seed=conditions.seed,
            size=conditions.size,
            precision=self.precision,
            asked_precision=self.conditions.precision,
            compile=conditions.compile,
            on_collapse=conditions.on_collapse,
            save_every=conditions.save_every.text if conditions.save_every else None,
            ignore_gates=self.ignore_gates,
            overrides=self.overrides,
            tags=list(self.tags),
            corpus=corpus.facts,
            windows={"train": len(trainer.train_windows), "val": len(trainer.val_windows)},
            steps=[prepared.steps for prepared in trainer.stages],
            recipe=attrs.asdict(trainer.model.recipe),
            parameters=trainer.model.parameter_count,
            plugins=self._plugins(),
            machine=machine(conditions.device, corpus.placed.said),
        )
        return trainer, corpus

    def _require_same(self, corpus: Corpus, run: Run) -> None:
        """See that a run goes on with the rows that it was begun on."""
        if (was := run.record["corpus"]["digest"]) != corpus.digest:
            raise LvmError(
                f"the run was begun on a corpus of digest {was}, and this one has {corpus.digest}",
                where=corpus.where,
                expected="the same rows, wherever they lie",
                fix=f"lvm run --resume {run.path} --data FILE",
            )

    def _plugins(self) -> list[dict[str, str]]:
        found = self.registry.plugins.found
        return [{"dist": p.dist, "plugin": p.name, "version": p.version} for p in found if p.status == "ok"]

    def _gate(self, corpus: Corpus, listeners: Listeners) -> Callable[[LatentVectorModel, str], str]:
        def judge_stage(model: LatentVectorModel, profile: str) -> str:
            if self.ignore_gates:
                return ""
            predictor = predictor_of_model("stage", model, self.precision)
            settings = Settings(profile=profile, context=self.variant.context)
            evaluator = Evaluator(corpus, self.registry, self.catalogue, settings, listeners=listeners)
            return "; ".join(evaluator.evaluate(predictor).document["gates"]["why"].values())

        return judge_stage


def _finish(run: Run, listeners: Listeners, status: str, reason: str) -> None:
    run.record["warnings"] = list(listeners.faults.values())
    run.finish(status, reason)


def save_evaluation(run: Run, evaluation: Evaluation) -> None:
    """Keep an evaluation in a run's folder: its document, and of the default protocol the per-window values."""
    run.write_evaluation(evaluation.document)
    if evaluation.document["protocol"] == DEFAULT:
        save_columns(run.path / "windows.safetensors", evaluation)


def below_floor(evaluation: Evaluation, registry: Registry) -> str:
    """Say so where a model ends below the cosine of a yardstick that declares itself the floor: copying is no model."""
    for found in yardsticks(registry):
        name = registry.key(found)
        if getattr(found.component, "floor", False) and name in evaluation.yardsticks and "val" in evaluation.splits:
            own, least = (held["val"]["cosine"].value for held in (evaluation, evaluation.yardsticks[name]))
            if own is not None and least is not None and own < least:
                return f"below {name}: val cosine {own:.3f} < {least:.3f}"
    return ""


def machine(device: str = "cpu", rows: str = "") -> dict[str, Any]:
    """What the run was carried out on, and where the rows of its corpus were."""
    return {
        "system": platform.system(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": {**facts(device), "rows": rows},
    }
