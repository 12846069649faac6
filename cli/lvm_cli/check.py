"""lvm check: is this installation sound?"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import attrs
import click
from rich.text import Text

from lvm_cli.console import console
from lvm_cli.options import (
    examine,
    json_option,
    open_catalogue,
    open_registry,
    plugin_options,
    print_json,
    registry_option,
)
from lvmcore.errors import LvmError
from lvmcore.registry import KINDS, Registry
from lvmcore.report.tables import add_columns, add_text, new_table


@click.command("check")
@click.option(
    "--evaluator",
    "controls",
    is_flag=True,
    help="Instead, put the evaluator to the test: what must pass passes, and what must fail fails. About a minute.",
)
@registry_option
@plugin_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    controls: bool,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check the installation: versions, processor, plugins, variants, bundled corpora, evaluator."""
    registry = open_registry(files, without)
    good = (_controls if controls else _installation)(registry, registries, as_json)
    if not good:
        ctx.exit(1)


def _installation(registry: Registry, registries: tuple[Path, ...], as_json: bool) -> bool:
    out = console()
    found: list[dict[str, str | bool]] = []
    for name, check in (
        ("versions", _versions),
        ("processor", _processor),
        ("plugins", lambda: _plugins(registry)),
        ("variants", lambda: _variants(registry, registries)),
        ("corpora", lambda: _corpora(registry)),
        ("evaluator", lambda: _evaluator(registry, registries)),
    ):
        passed, text = _tried(check)
        found.append({"check": name, "ok": passed, "text": text})
        if not as_json:
            out.print(Text.assemble(_verdict(passed), f"{'':{8 - len(_verdict(passed))}}{name:<10}{text}"))
    good = all(check["ok"] for check in found)
    if as_json:
        print_json({"schema": 1, "ok": good, "checks": found})
    return good


def _verdict(passed: bool) -> Text:
    return Text("ok", style="green") if passed else Text("FAILED", style="red")


def _controls(registry: Registry, registries: tuple[Path, ...], as_json: bool) -> bool:
    """The evaluator's controls as a table; they say of themselves what is expected."""
    from lvmcore.evaluation.controls import controls

    with console(stderr=as_json).status("testing the evaluator"):
        found = list(controls(registry, open_catalogue(registry, registries)))
    good = all(control.ok for control in found)
    if as_json:
        print_json({"schema": 1, "ok": good, "controls": [attrs.asdict(control) for control in found]})
        return good
    table = new_table()
    add_text(table, "control", "expected", "measured")
    add_columns(table, "")
    for control in found:
        table.add_row(control.control, control.expected, control.measured, _verdict(control.ok))
    console().print(table)
    return good


def _tried(check: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, check()
    except (LvmError, AssertionError) as problem:
        return False, str(problem)


def _versions() -> str:
    from lvmcore.runs.run import versions

    return ", ".join(f"{name} {number}" for name, number in versions().items())


def _processor() -> str:

    from lvmcore.device import processor_name, resolve

    chosen = resolve("auto")
    reason = "native" if chosen == "bf16" else "no native bf16 product"
    return f"{processor_name()}, {os.cpu_count()} cores; --precision auto takes {chosen} ({reason})"


def _plugins(registry: Registry) -> str:
    examine(registry)
    counts = {kind.plural: len(registry.all(kind.name)) for kind in KINDS.values()}
    if broken := registry.plugins.failed:
        raise LvmError("; ".join(f"{p.dist}/{p.name}: {p.reason}" for p in broken), fix="lvm plugins")
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _variants(registry: Registry, registries: tuple[Path, ...]) -> str:
    """Every variant's expressions name components and options that exist."""
    from lvmcore.evaluation.evaluator import profile_of
    from lvmcore.training.trainer import CONTEXT
    from lvmcore.training.validation import mistakes

    catalogue = open_catalogue(registry, registries)
    found = [wrong for variant in catalogue.variants.values() for wrong in mistakes(variant, registry, catalogue)]
    for name in catalogue.profiles:
        try:
            profile_of(name, catalogue, registry, CONTEXT)
        except LvmError as problem:
            problem.where = f"{problem.where}, in {catalogue.origins['gates', name]}"
            found.append(problem)
    if found:
        said = "".join(f"\n  - {wrong.where}: {wrong.what}" for wrong in found)
        raise LvmError(f"{len(found)} mistake{'s' * (len(found) > 1)}:{said}", fix="lvm list, or lvm show NAME")
    return f"{len(catalogue.variants)} variants, {len(catalogue.profiles)} gate profiles"


def _corpora(registry: Registry) -> str:
    from lvmcore.data.corpus import digest_of

    said = []
    for found in registry.all("corpus"):
        corpus = found.component().build()
        digest = digest_of(corpus.vectors.numpy(), corpus.starts.numpy(), corpus.splits.numpy())
        if digest != corpus.digest:
            raise LvmError("the contents do not match the digest", where=corpus.where, fix="install lvmcore again")
        said.append(f"{found.name} {len(corpus):,} chunks")
    return ", ".join(said)


def _evaluator(registry: Registry, registries: tuple[Path, ...]) -> str:
    """On the default corpus the oracle finds every target and the copier finds none of them first."""
    from lvmcore.data.open import open_corpus
    from lvmcore.evaluation.evaluator import evaluate
    from lvmcore.evaluation.predictors import yardstick
    from lvmcore.evaluation.settings import Settings

    catalogue = open_catalogue(registry, registries)
    corpus = open_corpus(catalogue.variant("base").data, registry)
    settings = Settings(max_windows=500, keep_yardsticks=False)
    document = evaluate(yardstick("lvmcore/oracle", corpus, registry), corpus, registry, catalogue, settings).document
    passed = document["gates"]["passed"]
    cheats = {n: d["gates"] for n, d in document["yardsticks"].items() if n != "oracle"}
    if passed < 4 or any(gates["A"] or gates["B"] for gates in cheats.values()):
        raise LvmError(
            f"the oracle passes {passed} gates, the cheats {cheats}",
            expected="4 for the oracle, no A or B for a cheat",
        )
    return f"the oracle passes {passed}/5 (C is not defined for it); {', '.join(cheats)} fail A and B"
