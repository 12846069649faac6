"""Whether an installation is sound: versions, processor, plugins, variants, corpora, evaluator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import attrs

from lvmcore.device import processor_name, resolve
from lvmcore.errors import LvmError
from lvmcore.evaluation.checks import plugged
from lvmcore.hookspecs import KINDS
from lvmcore.registry import Registry
from lvmcore.runs.run import versions
from lvmcore.variants.catalogue import Catalogue, all_files, default_files, load_catalogue
from lvmcore.variants.variant import BASE


@attrs.frozen
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    text: str


def findings(registry: Registry, catalogue: Callable[[], Catalogue]) -> Iterator[Finding]:
    """Each in turn; what fails harms no other.

    Args:
        catalogue: reads variants and profiles, and may fail.
    """
    looks: dict[str, Callable[[], str]] = {
        "versions": lambda: ", ".join(f"{name} {number}" for name, number in versions().items()),
        "processor": _processor,
        "plugins": lambda: _plugins(registry),
        "variants": lambda: _variants(registry, catalogue()),
        "corpora": lambda: _corpora(registry),
        "evaluator": lambda: _evaluator(registry),
    }
    for name, look in looks.items():
        try:
            yield Finding(name, True, look())
        except (LvmError, AssertionError) as problem:
            yield Finding(name, False, str(problem))


def examine(registry: Registry, *, builtin: bool = True) -> None:
    """Ask the plugins for all that they give, which is what brings a broken one to light."""
    registry.examine(builtin=builtin)
    list(plugged(registry, 5))
    all_files(registry)


def _processor() -> str:
    chosen = resolve("auto")
    reason = "native" if chosen == "bf16" else "no native bf16 product"
    return f"{processor_name()}, {os.cpu_count()} cores; --precision auto takes {chosen} ({reason})"


def _plugins(registry: Registry) -> str:
    examine(registry)
    counts = {kind.plural: len(registry.all(kind.name)) for kind in KINDS.values()}
    if broken := registry.plugins.failed:
        raise LvmError("; ".join(f"{p.dist}/{p.name}: {p.reason}" for p in broken), fix="lvm plugins")
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _variants(registry: Registry, catalogue: Catalogue) -> str:
    """Every variant's expressions name components and options that exist, and every gate a figure."""
    from lvmcore.evaluation.evaluator import profile_of
    from lvmcore.training.validation import mistakes

    found = [wrong for variant in catalogue.variants.values() for wrong in mistakes(variant, registry, catalogue)]
    for name in catalogue.profiles:
        try:
            profile_of(name, catalogue, registry, catalogue.variant(BASE).context)
        except LvmError as problem:
            problem.where = f"{problem.where}, in {catalogue.origins['gates', name]}"
            found.append(problem)
    if found:
        said = "".join(f"\n  - {wrong.where}: {wrong.what}" for wrong in found)
        raise LvmError(f"{len(found)} mistake{'s' * (len(found) > 1)}:{said}", fix="lvm list, or lvm show NAME")
    return f"{len(catalogue.variants)} variants, {len(catalogue.profiles)} gate profiles"


def _corpora(registry: Registry) -> str:
    said = []
    for found in registry.all("corpus"):
        corpus = found.component().build()
        corpus.verify()
        said.append(f"{found.name} {len(corpus):,} chunks")
    return ", ".join(said)


def _evaluator(registry: Registry) -> str:
    """On the default corpus the oracle finds every target and the copier finds none of them first."""
    from lvmcore.data.open import open_corpus
    from lvmcore.evaluation.evaluator import Evaluator
    from lvmcore.evaluation.predictors import ORACLE, of_role, term_of, yardstick
    from lvmcore.evaluation.settings import Settings

    catalogue = load_catalogue(default_files())  # what other files hold is no matter of the evaluator's
    corpus = open_corpus(catalogue.variant(BASE).data, registry)
    settings = Settings(max_windows=500, keep_yardsticks=False)
    oracle = term_of(of_role(registry, ORACLE))
    evaluator = Evaluator(corpus, registry, catalogue, settings)
    document = evaluator.evaluate(yardstick(oracle, corpus, registry)).document
    passed = document["gates"]["passed"]
    cheats = {name: held["gates"] for name, held in document["yardsticks"].items() if name in evaluator.cheats}
    if passed < 4 or any(gates["A"] or gates["B"] for gates in cheats.values()):
        raise LvmError(
            f"the oracle passes {passed} gates, the cheats {cheats}",
            expected="4 for the oracle, no A or B for a cheat",
        )
    return f"the oracle passes {passed}/5 (C is not defined for it); {', '.join(cheats)} fail A and B"
