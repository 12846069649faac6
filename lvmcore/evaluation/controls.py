"""The evaluator under test: a perfect predictor must pass, a cheat must fail, or its numbers mean nothing.

Who is the oracle and who a cheat, who knows a planted world's law, and which worlds there are, the components say
themselves: by `role`, `fit` and `directionless` on a predictor's class, and `worlds` on a corpus's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import torch

from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.errors import LvmError
from lvmcore.evaluation.checks import checks_of
from lvmcore.evaluation.document import measured
from lvmcore.evaluation.evaluator import CAUSAL, Evaluator
from lvmcore.evaluation.figures import estimates
from lvmcore.evaluation.measurement import Predictor, columns_of, evaluation_windows, statistics_of
from lvmcore.evaluation.predictors import LAW, ORACLE, is_cheat, of_role, term_of, yardstick, yardsticks
from lvmcore.evaluation.protocols import DEFAULT, protocol_of
from lvmcore.evaluation.settings import BATCH, Settings
from lvmcore.registry import Registered, Registry
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import BASE

SIDEWAYS = 0.006
"""What counts as no direction."""
SAME = 1e-5

Documents = Mapping[str, dict[str, Any]]
"""By predictor: its figures and gates."""


@attrs.frozen
class Control:
    """One statement about the evaluator, and whether it holds here."""

    control: str
    expected: str
    measured: str
    ok: bool


class Controls:
    """Every statement about the evaluator, tried with lvm's own predictors and corpora, whoever else gives some."""

    def __init__(self, registry: Registry, catalogue: Catalogue) -> None:
        self.registry, self.catalogue = registry, catalogue
        own = [found for found in yardsticks(registry) if found.plugin.builtin]
        self.oracle, self.law = of_role(registry, ORACLE), of_role(registry, LAW)
        self.cheats = [found.name for found in own if is_cheat(found) and not getattr(found.component, "fit", False)]
        """Those that learn nothing: on a planted world one that is fit may well know something."""
        self.blind = [found.name for found in own if getattr(found.component, "directionless", False)]
        """Those that look neither way, whatever the corpus; others do so but on average."""

    def __iter__(self) -> Iterator[Control]:
        """Every control in turn. Nothing is trained; it takes less than a minute."""
        data = self.catalogue.variant(BASE).data
        text = self.documents(data, self.oracle)
        world, noise = (self.documents(self.world(kind), self.law) for kind in ("signal", "silent"))
        mirrored = self.documents(self.world("reversed"), self.law, beside=False)
        for name, found in ((data, text), ("a world", world)):
            yield self.oracle_passes(name, found)
            yield from self.cheats_fail(name, found)
            yield self.cheats_look_nowhere(name, found)
        yield self.law_passes(world)
        yield self.nothing_to_know(noise)
        yield self.direction_turns(world, mirrored)
        yield from self.independence()

    def world(self, kind: str) -> str:
        """The expression of a planted world: with a `signal`, `silent`, `reversed`, or `small`."""
        for found in self.registry.all("corpus"):
            if worlds := getattr(found.component, "worlds", None):
                return f"{term_of(found)},{worlds[kind]}"
        raise LvmError("no corpus is a planted world", fix="lvm list corpora")

    def documents(self, data: str, who: Registered, beside: bool = True) -> Documents:
        """A predictor's figures on a corpus with the gates of `strict` and `causal`, and those of the yardsticks."""
        corpus = open_corpus(data, self.registry)
        settings = Settings(profile="strict", yardsticks=beside, keep_yardsticks=False)
        evaluator = Evaluator(corpus, self.registry, self.catalogue, settings)
        document = evaluator.evaluate(yardstick(term_of(who), corpus, self.registry)).document
        return {**document["yardsticks"], who.name: document}

    def oracle_passes(self, name: str, found: Documents) -> Control:
        """A, B, D and E of strict, and every target found that has no copy."""
        document = found[self.oracle.name]
        passed = [letter for letter in "ABDE" if document["gates"][letter]]
        splits = document["splits"].values()
        missed = sum(round((1 - s["B"]["all"]["r1"]["value"]) * s["B"]["all"]["windows"]) for s in splits)
        copies = sum(split["B"]["all"]["duplicates"] for split in splits)
        rollout = min(split["D"]["score"]["value"] for split in splits)
        return Control(
            f"{self.oracle.name} on {name}",
            "passes A, B, D, E of strict; every target first but for copies; D = 1",
            f"passes {', '.join(passed) or 'none'}; {missed} not first, {copies} copies; D = {rollout:.6f}",
            passed == [*"ABDE"] and missed <= copies and abs(rollout - 1) <= SAME,
        )

    def cheats_fail(self, name: str, found: Documents) -> Iterator[Control]:
        """The cheats fail A and B of strict, and whatever stands beside a model fails both of causal."""
        for cheat in self.cheats:
            passed = [letter for letter in "AB" if found[cheat]["gates"][letter]]
            margin = _value(found[cheat], "A", "margin")
            yield Control(
                f"{cheat} on {name}",
                "fails A and B of strict",
                f"{_passes(passed)}; margin {margin:+.3f}",
                not passed,
            )
        cheats = [cheat for cheat in found if cheat not in (self.oracle.name, self.law.name)]
        passed = [f"{cheat} {letter}" for cheat in cheats for letter in "AB" if found[cheat][CAUSAL][letter]]
        yield Control(f"{len(cheats)} cheats on {name}", "none passes A or B of causal", _passes(passed), not passed)

    def cheats_look_nowhere(self, name: str, found: Documents) -> Control:
        widest = max(
            (split["A"]["direction"]["value"] for cheat in self.blind for split in found[cheat]["splits"].values()),
            key=abs,
        )
        return Control(
            f"{', '.join(self.blind)} on {name}",
            f"direction within ±{SIDEWAYS}",
            f"{widest:+.4f} at most",
            abs(widest) <= SIDEWAYS,
        )

    def law_passes(self, found: Documents) -> Control:
        gates = found[self.law.name]["gates"]
        return Control(
            f"{self.law.name} on a world",
            "passes 5/5 of strict",
            f"passes {gates['passed']}/5; margin {_value(found[self.law.name], 'A', 'margin'):+.3f}",
            gates["passed"] == 5,
        )

    def nothing_to_know(self, found: Documents) -> Control:
        """Without a signal nobody passes A but the oracle."""
        profiles = {"strict": "gates", CAUSAL: CAUSAL}
        passed = [f"{name} {p}" for name, d in found.items() for p, place in profiles.items() if d[place]["A"]]
        return Control(
            "all on a world with signal=0",
            "the oracle alone passes A of strict, none of causal",
            _passes(passed),
            passed == [f"{self.oracle.name} strict"],
        )

    def direction_turns(self, forwards: Documents, backwards: Documents) -> Control:
        """On the same world with its articles reversed, who knows the way forwards looks the wrong way."""
        there, back = (
            [s["A"]["direction"] for s in d[self.law.name]["splits"].values()] for d in (forwards, backwards)
        )
        return Control(
            f"{self.law.name} on a world with reverse=true",
            "direction changes its sign",
            " and ".join(f"{a['value']:+.3f} → {b['value']:+.3f}" for a, b in zip(there, back, strict=True)),
            all(a["low"] > 0 for a in there) and all(b["high"] < 0 for b in back),
        )

    def independence(self) -> Iterator[Control]:
        """Neither how windows are batched, nor where an article stands, nor the precision changes a figure."""
        corpus = open_corpus(self.world("small"), self.registry)
        predictors = [self._named(name, corpus) for name in (self.law.name, *self.cheats)]
        base = [self._figures(predictor, corpus) for predictor in predictors]
        for name, others in (
            ("batches of 7", [self._figures(predictor, corpus, batch_size=7) for predictor in predictors]),
            ("articles in reverse order", [self._figures(predictor, _reordered(corpus)) for predictor in predictors]),
            ("float64", [self._figures(_double(predictor), corpus) for predictor in predictors]),
        ):
            apart = max(_apart(one, other) for one, other in zip(base, others, strict=True))
            yield Control(name, f"figures the same to {SAME:g}", f"{apart:.1e} apart at most", apart <= SAME)

    def _named(self, name: str, corpus: Corpus) -> Predictor:
        """lvm's own predictor of a name."""
        found = next(one for one in self.registry.all("predictor") if one.name == name)
        return yardstick(term_of(found), corpus, self.registry)

    def _figures(self, predictor: Predictor, corpus: Corpus, batch_size: int = BATCH) -> dict[str, float]:
        """Every figure of the protocol by split and key."""
        checks = checks_of(protocol_of(DEFAULT, self.registry).protocol, self.registry, 5)
        windows = evaluation_windows(corpus, ("val", "ood"), 5)
        statistics = {
            split: statistics_of(columns_of(predictor, found, checks, batch_size=batch_size), found)
            for split, found in windows.items()
        }
        found = estimates(measured(statistics, checks))
        return {key: estimate.value for key, estimate in found if estimate.value is not None}


def _apart(one: dict[str, float], other: dict[str, float]) -> float:
    """The widest difference; infinite where only one of them has a figure."""
    return max(abs(one[k] - other[k]) for k in one) if one.keys() == other.keys() else float("inf")


def _reordered(corpus: Corpus) -> Corpus:
    """The same articles, the last one first."""
    articles = [corpus.vectors[a:b] for a, b in zip(corpus.starts[:-1], corpus.starts[1:], strict=True)]
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), corpus.starts.diff().flip(0).cumsum(0)])
    return Corpus(torch.cat(articles[::-1]), starts, corpus.splits.flip(0), corpus.info)


def _double(predictor: Predictor) -> Predictor:
    return Predictor(predictor.name, lambda context, target: predictor.predict(context.double(), target.double()))


def _value(document: dict[str, Any], letter: str, figure: str) -> float:
    """A figure on the first split."""
    return next(iter(document["splits"].values()))[letter][figure]["value"]


def _passes(passed: list[str]) -> str:
    return f"passes: {', '.join(passed)}" if passed else "passes none"
