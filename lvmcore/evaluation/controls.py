"""The evaluator under test: a perfect predictor must pass, a cheat must fail, or its numbers mean nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import torch

from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.evaluation.evaluator import CAUSAL, Evaluator
from lvmcore.evaluation.measurement import Predictor, columns_of, evaluation_windows, measured, statistics_of
from lvmcore.evaluation.predictors import FILTER, ORACLE, yardstick
from lvmcore.evaluation.protocols import FIVECAT
from lvmcore.evaluation.settings import BATCH, Settings
from lvmcore.evaluation.statistics import figures
from lvmcore.plugins import CORE
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue

TEXT = "wiki"
WORLD = "world,articles=200,seed=1"
SMALL = "world,articles=20,length=24,seed=1"
DYNAMICS = "dynamics"
"""The predictor that knows a world's law."""
CHEATS = ("copy-last", "context-mean", "random")
BLIND = ("copy-last", "context-mean", FILTER)
"""Cheats that look neither way; `random` looks neither way but on average."""
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


def controls(registry: Registry, catalogue: Catalogue) -> Iterator[Control]:
    """Every control in turn. Nothing is trained; it takes less than a minute."""
    text = documents(TEXT, ORACLE, registry, catalogue)
    world = documents(WORLD, DYNAMICS, registry, catalogue)
    noise = documents(f"{WORLD},signal=0", DYNAMICS, registry, catalogue)
    mirrored = documents(f"{WORLD},reverse=true", DYNAMICS, registry, catalogue, yardsticks=False)
    for name, found in (("wiki", text), ("a world", world)):
        yield oracle_passes(name, found)
        yield from cheats_fail(name, found)
        yield cheats_look_nowhere(name, found)
    yield dynamics_passes(world)
    yield nothing_to_know(noise)
    yield direction_turns(world, mirrored)
    yield from independence(registry)


def documents(data: str, name: str, registry: Registry, catalogue: Catalogue, yardsticks: bool = True) -> Documents:
    """A predictor's figures on a corpus with the gates of `strict` and `causal`, and those of the yardsticks."""
    corpus = open_corpus(data, registry)
    settings = Settings(profile="strict", yardsticks=yardsticks, keep_yardsticks=False)
    evaluation = Evaluator(corpus, registry, catalogue, settings).evaluate(core_yardstick(name, corpus, registry))
    return {**evaluation.document["yardsticks"], name: evaluation.document}


def core_yardstick(name: str, corpus: Corpus, registry: Registry) -> Predictor:
    """lvm's own of this name, whoever else gives one."""
    return yardstick(f"{CORE}/{name}", corpus, registry)


def oracle_passes(name: str, found: Documents) -> Control:
    """A, B, D and E of strict, and every target found that has no copy."""
    document = found[ORACLE]
    passed = [letter for letter in "ABDE" if document["gates"][letter]]
    splits = document["splits"].values()
    missed = sum(round((1 - s["B"]["all"]["r1"]["value"]) * s["B"]["all"]["windows"]) for s in splits)
    copies = sum(split["B"]["all"]["duplicates"] for split in splits)
    rollout = min(split["D"]["score"]["value"] for split in splits)
    return Control(
        f"oracle on {name}",
        "passes A, B, D, E of strict; every target first but for copies; D = 1",
        f"passes {', '.join(passed) or 'none'}; {missed} not first, {copies} copies; D = {rollout:.6f}",
        passed == [*"ABDE"] and missed <= copies and abs(rollout - 1) <= SAME,
    )


def cheats_fail(name: str, found: Documents) -> Iterator[Control]:
    """The cheats fail A and B of strict, and whatever stands beside a model fails both of causal."""
    for cheat in CHEATS:
        passed = [letter for letter in "AB" if found[cheat]["gates"][letter]]
        margin = _value(found[cheat], "A", "margin")
        yield Control(
            f"{cheat} on {name}",
            "fails A and B of strict",
            f"{_passes(passed)}; margin {margin:+.3f}",
            not passed,
        )
    cheats = [cheat for cheat in found if cheat not in (ORACLE, DYNAMICS)]
    passed = [f"{cheat} {letter}" for cheat in cheats for letter in "AB" if found[cheat][CAUSAL][letter]]
    yield Control(f"{len(cheats)} cheats on {name}", "none passes A or B of causal", _passes(passed), not passed)


def cheats_look_nowhere(name: str, found: Documents) -> Control:
    widest = max(
        (split["A"]["direction"]["value"] for cheat in BLIND for split in found[cheat]["splits"].values()), key=abs
    )
    return Control(
        f"{', '.join(BLIND)} on {name}",
        f"direction within ±{SIDEWAYS}",
        f"{widest:+.4f} at most",
        abs(widest) <= SIDEWAYS,
    )


def dynamics_passes(found: Documents) -> Control:
    gates = found[DYNAMICS]["gates"]
    return Control(
        f"{DYNAMICS} on a world",
        "passes 5/5 of strict",
        f"passes {gates['passed']}/5; margin {_value(found[DYNAMICS], 'A', 'margin'):+.3f}",
        gates["passed"] == 5,
    )


def nothing_to_know(found: Documents) -> Control:
    """Without a signal nobody passes A but the oracle."""
    profiles = {"strict": "gates", CAUSAL: CAUSAL}
    passed = [f"{name} {p}" for name, d in found.items() for p, place in profiles.items() if d[place]["A"]]
    return Control(
        "all on a world with signal=0",
        "the oracle alone passes A of strict, none of causal",
        _passes(passed),
        passed == [f"{ORACLE} strict"],
    )


def direction_turns(forwards: Documents, backwards: Documents) -> Control:
    """On the same world with its articles reversed, who knows the way forwards looks the wrong way."""
    there, back = ([s["A"]["direction"] for s in d[DYNAMICS]["splits"].values()] for d in (forwards, backwards))
    return Control(
        f"{DYNAMICS} on a world with reverse=true",
        "direction changes its sign",
        " and ".join(f"{a['value']:+.3f} → {b['value']:+.3f}" for a, b in zip(there, back, strict=True)),
        all(a["low"] > 0 for a in there) and all(b["high"] < 0 for b in back),
    )


def independence(registry: Registry) -> Iterator[Control]:
    """Neither how windows are batched, nor where an article stands, nor the precision changes a figure."""
    corpus = open_corpus(SMALL, registry)
    predictors = [core_yardstick(name, corpus, registry) for name in (DYNAMICS, *CHEATS)]
    base = [_figures(predictor, corpus) for predictor in predictors]
    for name, others in (
        ("batches of 7", [_figures(predictor, corpus, batch_size=7) for predictor in predictors]),
        ("articles in reverse order", [_figures(predictor, _reordered(corpus)) for predictor in predictors]),
        ("float64", [_figures(_double(predictor), corpus) for predictor in predictors]),
    ):
        apart = max(_apart(one, other) for one, other in zip(base, others, strict=True))
        yield Control(name, f"figures the same to {SAME:g}", f"{apart:.1e} apart at most", apart <= SAME)


def _figures(predictor: Predictor, corpus: Corpus, batch_size: int = BATCH) -> dict[str, float]:
    """Every figure and count of 5CAT by its path."""
    windows = evaluation_windows(corpus, ("val", "ood"), 5)
    statistics = {
        split: statistics_of(columns_of(predictor, found, batch_size=batch_size), found)
        for split, found in windows.items()
    }
    return dict(_flat(figures(attrs.asdict(measured(statistics, FIVECAT, 5)))))


def _flat(document: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _flat(value, f"{path}/{key}")
    elif isinstance(document, list):
        for i, value in enumerate(document):
            yield from _flat(figures(value), f"{path}/{i}")
    elif document is not None:
        yield path, document


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
