"""One evaluation from end to end: the model, the yardsticks beside it, the gates, the document."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import safetensors.numpy

from lvmcore.data.corpus import Corpus
from lvmcore.data.windows import Windows
from lvmcore.errors import LvmError, because, strict
from lvmcore.evaluation.cache import Found, YardstickCache
from lvmcore.evaluation.checks import checks_of, declared_of
from lvmcore.evaluation.chunk import Predict
from lvmcore.evaluation.content import ContentKeys
from lvmcore.evaluation.document import SCHEMA, Evaluation, measured
from lvmcore.evaluation.figures import Columns
from lvmcore.evaluation.judgement import judge, unknown_figures
from lvmcore.evaluation.measurement import Predictor, columns_of, evaluation_windows, statistics_of
from lvmcore.evaluation.predictors import BASELINE, is_cheat, of_role, term_of, yardstick, yardsticks
from lvmcore.evaluation.protocols import DEFAULT, protocol_of
from lvmcore.evaluation.settings import Settings
from lvmcore.evaluation.statistics import FEW, Statistics, few_articles
from lvmcore.files import write_whole
from lvmcore.listeners import Listeners
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.gates import Gate

CAUSAL = "causal"
"""The profile that is printed beside whichever was asked for."""


def profile_of(
    name: str, catalogue: Catalogue, registry: Registry, context: int, protocol: str = DEFAULT
) -> tuple[Gate, ...]:
    """A gate profile, all of whose figures an evaluation has.

    Raises:
        LvmError: unknown, or about figures that there are none of, each of them named.
    """
    profile = catalogue.profile(name)
    # offsets that a shorter context lacks are not measurable, and no mistake
    checks = checks_of(protocol_of(protocol, registry).protocol, registry, max(context, 5))
    for problem in (wrong := unknown_figures(name, profile, declared_of(checks), registry.plugins.absent())):
        problem.what = "; ".join([problem.what, *(f"{one.where}: {one.what}" for one in wrong[1:])])
        raise problem
    return profile


class Evaluator:
    """Evaluates predictors on one corpus; the yardsticks are measured once.

    Args:
        progress: told the predictor's name, the windows done and the windows in all.
        listeners: those of the run that it belongs to; outside of a run, the plugins'.
    """

    def __init__(
        self,
        corpus: Corpus,
        registry: Registry,
        catalogue: Catalogue,
        settings: Settings,
        progress: Callable[[str, int, int], None] = lambda what, done, total: None,
        listeners: Listeners | None = None,
    ) -> None:
        self.corpus, self.registry, self.catalogue, self.settings = corpus, registry, catalogue, settings
        self.progress = progress
        self.listeners = listeners or Listeners(registry.plugins.manager)
        named = protocol_of(settings.protocol, registry)
        self.name, self.protocol = named.name, named.protocol
        # without intervals nothing can be said of cheats
        names = [settings.profile, *([CAUSAL] if self.protocol.extended and self.protocol.resamples else [])]
        self.checks = checks_of(self.protocol, registry, settings.context, settings.checks)
        self.declared = declared_of(self.checks)
        self.profiles = {name: profile_of(name, catalogue, registry, settings.context) for name in names}
        self.windows = evaluation_windows(
            corpus, settings.splits, settings.context, settings.max_windows, self.protocol
        )
        self.keys = {split: ContentKeys(corpus, split, self.protocol.seed) for split in self.windows}
        self.total = sum(map(len, self.windows.values()))
        self.cheats = {registry.key(found) for found in yardsticks(registry) if is_cheat(found)}
        self.notes = self._notes()
        """What holds of every evaluation here."""
        self.baseline, self.filter = self._baseline()

    def evaluate(self, predictor: Predictor) -> Evaluation:
        """Measure a predictor and, beside it, every registered yardstick."""
        began = time.perf_counter()
        own, columns = self._measure(predictor)
        others, left_out = self._yardsticks() if self.settings.yardsticks else ({}, [])
        # a cheat is held against itself too, and beats itself by 0: none can pass for being the best of them
        cheats = {name: compared for name, (_, compared) in others.items() if name in self.cheats}
        said = [said for found in (own, *(found for found, _ in others.values())) for said in found.pop("warnings")]
        faults = [check.fault for check in self.checks if check.fault]
        document = {
            "schema": SCHEMA,
            "protocol": self.name,
            "model": predictor.name,
            "corpus": {"name": self.corpus.info.name, "digest": self.corpus.digest},
            "seed": self.protocol.seed,
            "context": self.settings.context,
            "max_windows": self.settings.max_windows,
            "empty_splits": [split for split in self.settings.splits if split not in self.windows],
            "warnings": list(dict.fromkeys([*self.notes, *said, *left_out, *faults])),  # each once
            **self._judged(own, columns, cheats),
            "yardsticks": {name: self._judged(found, compared, cheats) for name, (found, compared) in others.items()},
        }
        document["seconds"] = round(time.perf_counter() - began, 3)
        self.listeners.tell("lvm_evaluated", model=predictor, result=document)
        return Evaluation(document, columns, self.windows)

    def _measure(self, predictor: Predictor) -> tuple[dict[str, Any], dict[str, Columns]]:
        """The figures of one predictor on every split, with what is to be said of them, and its columns."""
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            self.progress(predictor.name, done, self.total)

        columns = {
            split: columns_of(
                predictor,
                found,
                self.checks,
                keys=self.keys[split],
                filter=self.filter,
                first=None if self.protocol.spread else self.settings.max_windows,
                batch_size=self.settings.batch_size,
                progress=tell,
            )
            for split, found in self.windows.items()
        }
        for check in self.checks:  # one may have failed on the last split alone
            if check.fault:
                columns = {s: {k: c for k, c in held.items() if not check.has(k)} for s, held in columns.items()}
        statistics = {split: self._statistics(found, split, i) for i, (split, found) in enumerate(columns.items())}
        document = measured(statistics, self.checks)
        document["warnings"] = [
            said
            for split in columns
            for said in self._remarks(predictor.name, split, columns[split], statistics[split])
        ]
        return document, columns

    def _statistics(self, columns: Columns, split: str, shift: int = 0) -> Statistics:
        protocol = self.protocol
        return statistics_of(columns, self.windows[split], protocol.resamples, protocol.seed + shift, protocol.level)

    def _remarks(self, name: str, split: str, columns: Columns, statistics: Statistics) -> list[str]:
        """What is worth saying of a predictor's columns on a split."""
        said = []
        if broken := int(np.nansum(columns["broken"])):
            windows = int((columns["broken"] > 0).sum())
            said.append(
                f"{name} gave {broken} predictions on {split} that are no direction (not finite, or 0), in {windows} "
                "windows: they count as cosine 0, and not at all where a spoilt or reversed context was asked about"
            )
        return said + [text for check in self.checks for text in check.remarks(name, split, columns, statistics)]

    def _yardsticks(self) -> tuple[dict[str, Found], list[str]]:
        """Figures and compared columns of every yardstick that can be built, kept from an earlier evaluation.

        And why others were left out.
        """
        found: dict[str, Found] = {}
        left_out: list[str] = []
        keeps = self.settings.keep_yardsticks
        for registered in yardsticks(self.registry):
            key = self.registry.key(registered)
            cache = YardstickCache(self.corpus.digest, registered, self.settings, self.checks, self.baseline)
            if keeps and (kept := cache.read()) is not None:
                found[key] = kept
                continue
            label = key if registered.plugin.builtin else f"{registered.plugin.dist}/{registered.name}"
            try:
                built = yardstick(term_of(registered), self.corpus, self.registry, self.settings.context)
                document, columns = self._measure(built)
            except (Exception, SystemExit) as problem:
                if strict() and not isinstance(problem, LvmError):  # that one is about the corpus, not a fault
                    raise
                left_out.append(f"yardstick {label} left out: {because(problem)}")
                continue
            found[key] = document, self._compared(columns)
            if keeps and not any(check.fault for check in self.checks):
                cache.write(*found[key])
        return found, left_out

    def _judged(
        self, own: dict[str, Any], columns: dict[str, Columns], cheats: Mapping[str, dict[str, Columns]]
    ) -> dict[str, Any]:
        """The figures with the differences from the cheats and the gates."""
        differences = {
            split: self._differences(split, columns[split], {cheat: found[split] for cheat, found in cheats.items()})
            for split in self.windows
        }
        result = {**own, "differences": differences}
        gates = {
            profile: judge(profile, rules, result, self.declared).document() for profile, rules in self.profiles.items()
        }
        return {
            **result,
            "gates": gates[self.settings.profile],
            CAUSAL: gates.get(CAUSAL) if self.protocol.extended and self.protocol.resamples else None,
        }

    def _differences(self, split: str, own: Columns, cheats: dict[str, Columns]) -> dict[str, Any]:
        """Own figure less each cheat's on the same windows, with its paired interval."""
        compared = {key: one.column for key, one in self.declared.items() if one.figure.compared}
        found: dict[str, Any] = {cheat: {} for cheat in cheats}
        pairs = {
            f"{cheat} {key}": (cheat, key, own[column] - theirs[column])
            for cheat, theirs in cheats.items()
            for key, column in compared.items()
            if column in own and column in theirs
        }
        statistics = self._statistics({name: difference for name, (_, _, difference) in pairs.items()}, split)
        for name, (cheat, key, _) in pairs.items():
            found[cheat][key] = attrs.asdict(statistics.difference(name))
        return found

    def _compared(self, columns: dict[str, Columns]) -> dict[str, Columns]:
        """The columns that others are held against."""
        wanted = {one.column for one in self.declared.values() if one.figure.compared}
        return {split: {name: c for name, c in found.items() if name in wanted} for split, found in columns.items()}

    def _baseline(self) -> tuple[type, Predict] | tuple[None, None]:
        """What gain and direction are measured against: the component, and its prediction."""
        if not self.protocol.extended:
            return None, None
        try:
            found = of_role(self.registry, BASELINE)
            built = yardstick(term_of(found), self.corpus, self.registry, self.settings.context)
        except LvmError as problem:
            self.notes.append(f"gain and direction are not measured: {problem.what}")
            return None, None
        return found.component, built.predict

    def _notes(self) -> list[str]:
        said = [f"{s} holds no window and was not evaluated" for s in self.settings.splits if s not in self.windows]
        for split, found in self.windows.items():
            articles = len(np.unique(found.articles.numpy()))
            if articles < FEW and self.protocol.resamples:
                said.append(few_articles(split, articles, self.protocol.level))
        failed = [plugin for plugin in self.registry.plugins.failed if "lvm_checks" in plugin.hooks]
        said += [f"plugin {plugin.label} failed: {plugin.reason}" for plugin in failed]
        return said


def evaluate(
    predictor: Predictor,
    corpus: Corpus,
    registry: Registry,
    catalogue: Catalogue,
    settings: Settings,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Evaluation:
    """Evaluate one predictor with the yardsticks beside it."""
    return Evaluator(corpus, registry, catalogue, settings, progress).evaluate(predictor)


def save_columns(path: Path, evaluation: Evaluation) -> None:
    """Keep the per-window values, so that two runs can be compared without their models."""
    flat: dict[str, np.ndarray] = {}
    for split, found in evaluation.columns.items():
        windows: Windows = evaluation.windows[split]
        flat |= {f"{split}/{name}": column for name, column in found.items()}
        flat[f"{split}/row"] = windows.targets[:].numpy()
        flat[f"{split}/article"] = windows.articles.numpy()
    write_whole(path, safetensors.numpy.save(flat, metadata={"lvm": '{"schema": 1, "kind": "windows"}'}))
