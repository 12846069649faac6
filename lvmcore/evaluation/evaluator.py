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
from lvmcore.evaluation.checks import checks_of, report
from lvmcore.evaluation.chunk import Predict
from lvmcore.evaluation.document import SCHEMA
from lvmcore.evaluation.judgement import COMPARED, judge, require_known
from lvmcore.evaluation.measurement import (
    Columns,
    Predictor,
    columns_of,
    evaluation_windows,
    measured,
    statistics_of,
)
from lvmcore.evaluation.predictors import FILTER, is_oracle, yardstick, yardsticks
from lvmcore.evaluation.protocols import FIVECAT, Protocol, protocol_of
from lvmcore.evaluation.remarks import remarks
from lvmcore.evaluation.settings import Settings
from lvmcore.evaluation.statistics import FEW, few_articles
from lvmcore.expression import Term
from lvmcore.files import write_whole
from lvmcore.plugins import CORE
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.gates import Gate

CAUSAL = "causal"
"""The profile that is printed beside whichever was asked for."""


@attrs.frozen
class Evaluation:
    """The JSON document, and the per-window figures by split."""

    document: dict[str, Any]
    columns: dict[str, Columns]


def profile_of(name: str, catalogue: Catalogue, registry: Registry, context: int) -> tuple[Gate, ...]:
    """A gate profile, all of whose figures an evaluation has.

    Raises:
        LvmError: unknown, or about a figure that there is none of.
    """
    profile = catalogue.profile(name)
    offsets = FIVECAT.offsets(max(context, 5))  # those that a shorter context lacks are not measurable
    letters = {check.letter for check in checks_of(registry)}
    require_known(name, profile, offsets, letters, registry.plugins.absent())
    return profile


class Evaluator:
    """Evaluates predictors on one corpus; the yardsticks are measured once.

    Args:
        progress: told the predictor's name, the windows done and the windows in all.
    """

    def __init__(
        self,
        corpus: Corpus,
        registry: Registry,
        catalogue: Catalogue,
        settings: Settings,
        progress: Callable[[str, int, int], None] = lambda what, done, total: None,
    ) -> None:
        self.corpus, self.registry, self.catalogue, self.settings = corpus, registry, catalogue, settings
        self.progress = progress
        self.protocol: Protocol = protocol_of(settings.protocol)
        names = [settings.profile, CAUSAL] if self.protocol.resamples else [settings.profile]
        self.checks = checks_of(registry) if self.protocol.resamples else []
        self.profiles = {name: profile_of(name, catalogue, registry, settings.context) for name in names}
        self.windows = evaluation_windows(
            corpus, settings.splits, settings.context, settings.max_windows, spread=self.protocol.spread
        )
        self.total = sum(map(len, self.windows.values()))
        self.cheats = {registry.key(found) for found in yardsticks(registry) if not is_oracle(found)}
        self.notes = self._notes()
        """What holds of every evaluation here."""
        self.baseline, self.filter = self._filter()

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
            "protocol": self.protocol.name,
            "model": predictor.name,
            "corpus": {"name": self.corpus.info.name, "digest": self.corpus.digest},
            "seed": self.settings.seed,
            "context": self.settings.context,
            "max_windows": self.settings.max_windows,
            "empty_splits": [split for split in self.settings.splits if split not in self.windows],
            "warnings": list(dict.fromkeys([*self.notes, *said, *left_out, *faults])),  # each once
            **self._judged(own, columns, cheats),
            "yardsticks": {name: self._judged(found, compared, cheats) for name, (found, compared) in others.items()},
        }
        document["seconds"] = round(time.perf_counter() - began, 3)
        self.registry.plugins.listeners.tell("lvm_evaluated", model=predictor, result=document)
        return Evaluation(document, columns)

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
                [*self.protocol.tests(), *(check.measure for check in self.checks)],
                filter=self.filter,
                seed=self.settings.seed,
                first=None if self.protocol.spread else self.settings.max_windows,
                batch_size=self.settings.batch_size,
                progress=tell,
            )
            for split, found in self.windows.items()
        }
        self._leave_out_failed_checks(columns)
        statistics = {
            split: statistics_of(found, self.windows[split], self.protocol.resamples, self.settings.seed + i)
            for i, (split, found) in enumerate(columns.items())
        }
        document = attrs.asdict(measured(statistics, self.protocol, self.settings.context))
        for split, checks in report(self.checks, statistics).items():
            document["splits"][split] |= {
                letter: {name: attrs.asdict(figure) for name, figure in figures.items()}
                for letter, figures in checks.items()
            }
        document["warnings"] = [
            said for split in columns for said in remarks(predictor.name, split, columns[split], statistics[split])
        ]
        return document, columns

    def _leave_out_failed_checks(self, columns: dict[str, Columns]) -> None:
        for check in self.checks:
            if check.fault:
                for found in columns.values():
                    for name in list(filter(check.has, found)):
                        del found[name]

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
                term = Term(registered.name, dist=registered.plugin.dist)
                built = yardstick(str(term), self.corpus, self.registry, self.settings.context)
                document, columns = self._measure(built)
            except (Exception, SystemExit) as problem:
                if strict() and not isinstance(problem, LvmError):  # that one is about the corpus, not a fault
                    raise
                left_out.append(f"yardstick {label} left out: {because(problem)}")
                continue
            found[key] = document, _compared(columns)
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
        gates = {profile: judge(profile, rules, result).document() for profile, rules in self.profiles.items()}
        return {
            **result,
            "gates": gates[self.settings.profile],
            CAUSAL: gates.get(CAUSAL) if self.protocol.resamples else None,
        }

    def _differences(self, split: str, own: Columns, cheats: dict[str, Columns]) -> dict[str, Any]:
        """Own figure less each cheat's on the same windows, with its paired interval."""
        pairs: Columns = {
            f"{cheat} {figure}": own[column] - theirs[column]
            for cheat, theirs in cheats.items()
            for figure, column in COMPARED.items()
            if column in own and column in theirs
        }
        statistics = statistics_of(pairs, self.windows[split], self.protocol.resamples, self.settings.seed)
        found: dict[str, Any] = {cheat: {} for cheat in cheats}
        for pair in pairs:
            cheat, figure = pair.split(" ")
            found[cheat][figure] = attrs.asdict(statistics.difference(pair))
        return found

    def _filter(self) -> tuple[type, Predict] | tuple[None, None]:
        """What gain and direction are measured against: the component, and its prediction."""
        if not self.protocol.resamples:  # 5cat-2025 knows neither gain nor direction
            return None, None
        term = Term(FILTER, dist=CORE)
        try:
            built = yardstick(str(term), self.corpus, self.registry, self.settings.context)
        except LvmError as problem:
            self.notes.append(f"gain and direction are not measured: {problem.what}")
            return None, None
        return self.registry.find("predictor", term).component, built.predict

    def _notes(self) -> list[str]:
        said = [f"{s} holds no window and was not evaluated" for s in self.settings.splits if s not in self.windows]
        for split, found in self.windows.items():
            articles = len(np.unique(self.corpus.article_of[found.targets].numpy()))
            if articles < FEW and self.protocol.resamples:
                said.append(few_articles(split, articles))
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


def _compared(columns: dict[str, Columns]) -> dict[str, Columns]:
    wanted = set(COMPARED.values())
    return {split: {name: c for name, c in found.items() if name in wanted} for split, found in columns.items()}


def save_columns(path: Path, columns: dict[str, Columns], windows: Mapping[str, Windows]) -> None:
    """Keep the per-window figures, so that two runs can be compared without their models."""
    flat: dict[str, np.ndarray] = {}
    for split, found in columns.items():
        flat |= {f"{split}/{name}": column for name, column in found.items()}
        flat[f"{split}/row"] = windows[split].targets.numpy()
        flat[f"{split}/article"] = windows[split].corpus.article_of[windows[split].targets].numpy()
    write_whole(path, safetensors.numpy.save(flat, metadata={"lvm": '{"schema": 1, "kind": "windows"}'}))
