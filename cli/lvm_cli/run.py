"""lvm run: train, evaluate, and add a row to the comparison."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
from rich.console import Console
from rich.text import Text

from lvm_cli.console import console, note
from lvm_cli.options import (
    json_option,
    open_catalogue,
    open_registry,
    plugin_options,
    print_json,
    registry_option,
    runs_option,
)
from lvmcore.errors import LvmError
from lvmcore.expression import Term
from lvmcore.plugins import CORE
from lvmcore.registry import Registry
from lvmcore.runs.run import Run, command_line
from lvmcore.variants.variant import BASE, BEST, Variant


@click.command("run")
@click.argument("variant", required=False)
@click.option("--arch", metavar="EXPR", help="Architecture and wrappers, such as transformer+residual:0.5.")
@click.option("--loss", metavar="EXPR", help="Losses, such as mse+dir:0.002,start=6.")
@click.option("--inputs", metavar="EXPR", help="Input encodings, such as pos:0.03+drop:0.05; '' for none.")
@click.option("--sampler", metavar="EXPR", help="Which windows to train on, such as forward:0.3.")
@click.option("--schedule", metavar="EXPR", help="The learning rate's course, such as warmup-cosine:1.")
@click.option("--data", metavar="FILE|EXPR", help="A corpus file, or a corpus by name.")
@click.option(
    "--size", type=click.Choice(["toy", "full"]), default="full", help="toy: the architecture's small preset."
)
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs; a staged variant's stages scale in proportion.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Windows a step.")
@click.option("--lr", type=float, help="Learning rate.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of everything random."
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "auto"]),
    default="fp32",
    show_default=True,
    help="auto: bf16 where the processor multiplies it natively.",
)
@click.option("--best", type=click.Choice(list(BEST)), help="What the best weights are chosen by.")
@click.option("--gates", metavar="PROFILE", help="The gate profile to judge by.")
@click.option("--ignore-gates", is_flag=True, help="Go on when a stage's gate fails.")
@click.option(
    "--on-collapse",
    type=click.Choice(["stop", "rollback", "continue"]),
    default="stop",
    show_default=True,
    help="What to do when the validation cosine breaks down.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 when a gate failed or the run collapsed.")
@registry_option
@plugin_options
@runs_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    variant: str | None,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    root: Path,
    size: str,
    seed: int,
    precision: str,
    ignore_gates: bool,
    on_collapse: str,
    strict: bool,
    as_json: bool,
    **overrides: Any,
) -> None:
    """Train a variant, evaluate it with 5CAT, and add a row to the comparison.

    VARIANT is a name of registry.toml (`lvm list variants`); without it, the common settings hold. Every
    option overrides what the variant says.

    \b
    lvm run --arch transformer --loss mse+dir:0.002
    lvm run p1 --epochs 3 --data kjv
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    out = console(stderr=as_json)
    run = Run.create(root, variant or overrides["arch"] or BASE, command_line())
    try:
        registry = open_registry(files, without)
        catalogue = open_catalogue(registry, registries)
        named = catalogue.variant(variant or BASE)
        chosen = named.override(overrides)
        from lvmcore.training.validation import idle, mistakes

        given = {key: value for key, value in overrides.items() if value is not None}
        for mistake in mistakes(chosen, registry, catalogue, without=given):
            raise mistake
        for said in _notes(named, chosen, overrides, idle(chosen, registry)):
            out.print(note(said))
        from lvm_cli.progress import Display
        from lvmcore.experiment import Experiment
        from lvmcore.training.trainer import Conditions
    except BaseException:
        run.discard()
        raise
    conditions = Conditions(seed=seed, precision=precision, size=size, on_collapse=on_collapse)
    with Display(out, chosen) as display:
        registry.plugins.manager.register(display)
        experiment = Experiment(
            variant=chosen,
            conditions=conditions,
            registry=registry,
            catalogue=catalogue,
            overrides={key: value for key, value in given.items() if value != getattr(named, key)},
            ignore_gates=ignore_gates,
            progress=display.evaluating,
        )
        try:
            experiment.carry_out(run)
        except KeyboardInterrupt:
            raise _stopped(run) from None
    for fault in registry.plugins.listeners.faults.values():
        click.echo(f"lvm: {fault}", err=True)
    _report(out, run, registry, as_json)
    evaluation = run.evaluation()
    passed = evaluation is not None and evaluation["gates"]["passed"] == evaluation["gates"]["of"]
    if strict and not (run.status == "finished" and passed):
        ctx.exit(1)


def _stopped(run: Run) -> LvmError:
    if not run.model_file.is_file():
        return LvmError("stopped before the first epoch was done", fix="run again; nothing is lost")
    return LvmError(
        run.record["reason"],
        where=str(run.path),
        fix=f"lvm eval {run.path} evaluates its best weights so far",
    )


def _notes(named: Variant, chosen: Variant, overrides: dict[str, Any], idle: list[str]) -> Iterator[str]:
    """What the command line has done to a variant that one may not have meant."""
    if ignored := overrides_by_stages(chosen.stages, overrides):
        yield f"stages set their own {', '.join(ignored)}; the option acts where they don't"
    if dropped := [stage.name for stage in named.stages if stage.name not in {one.name for one in chosen.stages}]:
        yield f"no epoch is left for stage {', '.join(dropped)}"
    if idle:
        yield f"in {chosen.epochs} epoch{'s' * (chosen.epochs != 1)} these never act: {', '.join(idle)}"


def overrides_by_stages(stages: tuple[Any, ...], overrides: dict[str, Any]) -> list[str]:
    """Options from the command line that some stage overrides in its turn."""
    given = [key for key, value in overrides.items() if value is not None and key != "epochs"]
    return [key for key in given if any(getattr(stage, key, None) is not None for stage in stages)]


def _report(out: Console, run: Run, registry: Registry, as_json: bool) -> None:
    from lvm_cli.reasons import reasons
    from lvm_cli.tables import beside, five_tests, windows
    from lvmcore.report.comparison import compare

    if as_json:
        print_json(run.document())
        return
    evaluation = run.evaluation()
    if evaluation:
        out.print(five_tests(evaluation))
        out.print(windows(evaluation))
        out.print(beside(evaluation))
        out.print(reasons(evaluation))
    else:
        out.print(Text.assemble(("nothing to evaluate:", "yellow"), " no epoch gave finite weights"))
    row = attrs.evolve(compare([run]), yardsticks=())  # they stand beside it already
    out.print(registry.make("report", Term("table", dist=CORE)).build()(row))
    out.print(f"{run.path}  ·  lvm compare shows it beside the others")
