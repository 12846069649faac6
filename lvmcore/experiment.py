"""One experiment from end to end: resolve a variant, train it, evaluate it, write the run down."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import torch

from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.device import processor_name, resolve
from lvmcore.errors import LvmError, because
from lvmcore.evaluation.evaluator import CAUSAL, Evaluation, Evaluator, profile_of, save_columns
from lvmcore.evaluation.predictors import predictor_of_model
from lvmcore.evaluation.settings import Settings
from lvmcore.model import LatentVectorModel
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.training.trainer import CONTEXT, Conditions, Trainer
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import Variant

Progress = Callable[[str, int, int], None]


@attrs.frozen(kw_only=True)
class Experiment:
    """A variant to carry out, and how."""

    variant: Variant
    conditions: Conditions
    registry: Registry
    catalogue: Catalogue
    overrides: dict[str, Any] = attrs.field(factory=dict)
    """What the command line has changed of the variant; for the record."""
    ignore_gates: bool = False
    progress: Progress = lambda what, done, total: None

    @property
    def precision(self) -> str:
        """fp32 or bf16: what is trained and evaluated in."""
        return resolve(self.conditions.precision)

    def carry_out(self, run: Run) -> None:
        """Train, evaluate and record.

        A mistake found before the first epoch takes the folder away again; after it, everything that was
        written stays, and the status says how far the run came.

        Raises:
            LvmError, KeyboardInterrupt: after the run has been given its status.
        """
        try:
            trainer, corpus = self._prepare(run)
        except BaseException:
            run.discard()
            raise
        phase = ""
        try:
            outcome = trainer.train()
            phase = "during the evaluation"
            if outcome.model is not None:
                run.update(recipe=attrs.asdict(outcome.model.recipe))  # that of the best weights' stage
                evaluation = self.evaluate(run, outcome.model, corpus)
                if below := below_copy_last(evaluation.document):
                    run.update(note=below)
            self._finish(run, outcome.status, outcome.reason)
        except KeyboardInterrupt:
            self._finish(run, "interrupted", f"stopped by the user {phase or f'in epoch {trainer.epoch}'}")
            raise
        except (Exception, SystemExit) as problem:  # a loss may try to exit
            self._failed(run, problem)
            raise
        finally:
            self.registry.plugins.listeners.tell("lvm_run_finished", run=run)

    def evaluate(self, run: Run, model: LatentVectorModel, corpus: Corpus) -> Evaluation:
        """5CAT of a run's best weights, kept in its folder."""
        predictor = predictor_of_model(run.path.name, model, self.precision)
        settings = Settings(profile=self.variant.gates, context=CONTEXT)
        evaluator = Evaluator(corpus, self.registry, self.catalogue, settings, self.progress)
        result = evaluator.evaluate(predictor)
        run.write_evaluation(result.document)
        save_columns(run.path / "windows.safetensors", result.columns, evaluator.windows)
        return result

    def _prepare(self, run: Run) -> tuple[Trainer, Corpus]:
        variant = self.variant
        for profile in (variant.gates, CAUSAL, *(stage.gates for stage in variant.stages if stage.gates)):
            profile_of(profile, self.catalogue, self.registry, CONTEXT)
        corpus = open_corpus(variant.data, self.registry)
        conditions = attrs.evolve(self.conditions, precision=self.precision)
        trainer = Trainer(variant, corpus, self.registry, run, conditions, self._gate(corpus))
        run.update(
            variant=attrs.asdict(variant),
            seed=conditions.seed,
            size=conditions.size,
            precision=self.precision,
            asked_precision=self.conditions.precision,
            on_collapse=conditions.on_collapse,
            ignore_gates=self.ignore_gates,
            overrides=self.overrides,
            corpus={
                "name": corpus.info.name,
                "digest": corpus.digest,
                "dim": corpus.dim,
                "rows": len(corpus),
            },
            windows={"train": len(trainer.train_windows), "val": len(trainer.val_windows)},
            recipe=attrs.asdict(trainer.model.recipe),
            parameters=trainer.model.parameter_count,
            plugins=self._plugins(),
            machine=machine(),
        )
        return trainer, corpus

    def _plugins(self) -> list[dict[str, str]]:
        found = self.registry.plugins.found
        return [{"dist": p.dist, "plugin": p.name, "version": p.version} for p in found if p.status == "ok"]

    def _gate(self, corpus: Corpus) -> Callable[[LatentVectorModel, str], str]:
        def judge_stage(model: LatentVectorModel, profile: str) -> str:
            if self.ignore_gates:
                return ""
            predictor = predictor_of_model("stage", model, self.precision)
            settings = Settings(profile=profile, context=CONTEXT)
            document = Evaluator(corpus, self.registry, self.catalogue, settings).evaluate(predictor).document
            return "; ".join(document["gates"]["why"].values())

        return judge_stage

    def _finish(self, run: Run, status: str, reason: str) -> None:
        run.record["warnings"] = list(self.registry.plugins.listeners.faults.values())
        run.finish(status, reason)

    def _failed(self, run: Run, problem: BaseException) -> None:
        with suppress(LvmError):  # the disk is full: the folder stays marked as running, and reads as interrupted
            self._finish(run, "failed", because(problem))


def below_copy_last(document: dict[str, Any]) -> str:
    """Say so where a model ends below the cosine of copying its last input."""
    own, theirs = _val_cosine(document), _val_cosine(document["yardsticks"].get("copy-last", {}))
    if own is None or theirs is None or own >= theirs:
        return ""
    return f"below copy-last: val cosine {own:.3f} < {theirs:.3f}"


def _val_cosine(document: dict[str, Any]) -> float | None:
    return document.get("splits", {}).get("val", {}).get("cosine", {}).get("value")


def machine() -> dict[str, Any]:
    """What the run was carried out on."""
    return {
        "system": platform.system(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
