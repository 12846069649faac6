"""lvm run: train, evaluate, and add a row to the comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import click
from rich.console import Console
from rich.text import Text

from lvm_cli.console import say
from lvm_cli.options import (
    device_options,
    json_option,
    open_lab,
    plugin_options,
    precision_option,
    print_json,
    registry_option,
    runs_option,
)
from lvmcore.errors import LvmError
from lvmcore.expression import Term
from lvmcore.plugins import CORE
from lvmcore.report.tables import duration, fact, mebibytes, note
from lvmcore.runs.run import Run
from lvmcore.stopping import deferred
from lvmcore.toolkit import Lab


@click.command("run")
@click.argument("variant", required=False)
@click.option("--arch", metavar="EXPR", help="Architecture and wrappers, such as transformer+residual:0.5.")
@click.option("--loss", metavar="EXPR", help="Losses, such as mse+dir:0.002,start=6.")
@click.option("--inputs", metavar="EXPR", help="Input encodings, such as pos:0.03+drop:0.05; '' for none.")
@click.option("--sampler", metavar="EXPR", help="Which windows to train on, such as forward:0.3.")
@click.option("--schedule", metavar="EXPR", help="The learning rate's course, such as warmup-cosine:1.")
@click.option("--optimizer", metavar="EXPR", help="What takes the steps, such as sgd:0.9.")
@click.option("--data", metavar="FILE|EXPR", help="A corpus file, or a corpus by name.")
@click.option(
    "--size", type=click.Choice(["toy", "full"]), default="full", help="toy: the architecture's small preset."
)
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs; a staged variant's stages scale in proportion.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Windows a step.")
@click.option("--lr", type=float, help="Learning rate.")
@click.option("--weight-decay", type=float, help="Weight decay of the optimizer.")
@click.option("--clip", type=float, help="The gradient's norm is clipped at this.")
@click.option("--ema", type=float, help="Keep an average of the weights with this decay, such as 0.99.")
@click.option("--patience", type=click.IntRange(min=1), help="End after so many epochs without a better one.")
@click.option("--context", type=click.IntRange(min=1), help="Rows of context that the model reads.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of everything random."
)
@precision_option
@device_options
@click.option("--compile", is_flag=True, help="Run the steps through torch.compile.")
@click.option("--best", metavar="FIGURE", help="What the best weights are chosen by: val_loss, val_cos, margin …")
@click.option("--gates", metavar="PROFILE", help="The gate profile to judge by.")
@click.option("--ignore-gates", is_flag=True, help="Go on when a stage's gate fails.")
@click.option(
    "--on-collapse",
    type=click.Choice(["stop", "rollback", "continue"]),
    default="stop",
    show_default=True,
    help="What to do when the validation cosine breaks down.",
)
@click.option("--init", metavar="RUN|FILE", help="Begin with the weights of a run or of a file.")
@click.option("--save-every", metavar="N UNIT", help="Save what --resume needs every '500 steps' or '10 min', too.")
@click.option("--resume", metavar="RUN|latest", help="Go on with a run that stopped; it may get more --epochs.")
@click.option("--name", default="", help="What the run is called.  [default: as the variant]")
@click.option("--tag", "tags", multiple=True, help="A word to find the run by; may be repeated.")
@click.option("--no-eval", is_flag=True, help="Train only; lvm eval RUN --save evaluates it later.")
@click.option("--dry-run", is_flag=True, help="Resolve, build and time a few steps; make no run.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
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
    compile: bool,
    device: str,
    rows_on_device: str,
    ignore_gates: bool,
    on_collapse: str,
    init: str | None,
    save_every: str | None,
    resume: str | None,
    name: str,
    tags: tuple[str, ...],
    no_eval: bool,
    dry_run: bool,
    quiet: bool,
    strict: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a variant, evaluate it with 5CAT, and add a row to the comparison.

    VARIANT is a name of registry.toml (`lvm list variants`); without it, the common settings hold. Every
    option overrides what the variant says.

    \b
    lvm run --arch transformer --loss mse+dir:0.002
    lvm run p1 --epochs 3 --data kjv
    lvm run --resume latest
    """
    ctx.with_resource(deferred())  # before torch is imported
    lab = open_lab(files, without, registries, root, stderr=as_json, device=device, rows_on_device=rows_on_device)
    lab.console.quiet = quiet
    if dry_run and resume:
        raise LvmError("--dry-run makes no run, and --resume goes on with one", fix="one of the two")
    if dry_run:
        _estimate(lab, variant, as_json, size=size, precision=precision, compile=compile, **settings)
        return
    asked: dict[str, Any] = {
        "seed": seed,
        "size": size,
        "precision": precision,
        "compile": compile,
        "on_collapse": on_collapse,
        "ignore_gates": ignore_gates,
        "init": init,
        "name": name,
        "tags": tags,
        **settings,
    }
    try:
        if resume:
            named: dict[str, Any] = {
                key: value for key, value in ({"variant": variant} | asked).items() if _is_named(ctx, key)
            }
            run = lab.resume(resume, save_every=save_every, evaluate=not no_eval, **named)
        else:
            run = lab.train(variant, save_every=save_every, evaluate=not no_eval, **asked)
    except KeyboardInterrupt:
        raise _stopped(lab) from None
    for fault in run.record.get("warnings", []):
        say(fault)
    if as_json:
        print_json(run.document())
    elif not quiet:
        _report(lab.console, run, lab, not no_eval)
    gates = run.evaluation.gates if run.evaluation else {}
    if strict and not (run.status == "finished" and gates and gates["passed"] == gates["of"]):
        ctx.exit(1)


def _estimate(
    lab: Lab, variant: str | None, as_json: bool, *, size: str, precision: str, compile: bool, **settings: Any
) -> None:
    from lvmcore.report.progress import objective

    plan = lab.plan(variant, **settings)
    found = lab.estimate(plan.variant, size=size, precision=precision, compile=compile)
    if as_json:
        print_json({"schema": 1, "variant": attrs.asdict(plan.variant), "notes": plan.notes, **attrs.asdict(found)})
        return
    for said in plan.notes:
        lab.console.print(note(said))
    chosen = plan.variant
    for label, text in (
        ("variant", f"{chosen.name}   {chosen.arch}"),
        ("objective", objective(chosen)),
        ("corpus", f"{chosen.data}   windows: {found.windows['train']:,} train, {found.windows['val']:,} val"),
        ("model", f"{found.parameters:,} parameters, {precision}"),
        ("memory", f"{mebibytes(found.memory)} of weights, gradients and moments"),
        ("training", f"{chosen.epochs} epochs, {found.steps:,} steps" + _about(found.seconds)),
    ):
        lab.console.print(fact(label, text))


def _about(seconds: float | None) -> str:
    return "" if seconds is None else f", about {duration(seconds)} here"


def _is_named(ctx: click.Context, key: str) -> bool:
    """Whether an option stands in the command, and is no default."""
    return ctx.get_parameter_source(key) is not click.core.ParameterSource.DEFAULT


def _stopped(lab: Lab) -> LvmError:
    run = lab.last
    if run is None or not run.state_file.is_file():
        return LvmError("stopped before the training began", fix="run again; nothing is lost")
    fix = f"lvm run --resume {run.path} goes on"
    if run.model_file.is_file():
        fix += f"; lvm eval {run.path} evaluates its best weights so far"
    return LvmError(run.record["reason"], where=str(run.path), fix=fix)


def _report(out: Console, run: Run, lab: Lab, evaluated: bool) -> None:
    from lvmcore.report.comparison import compare
    from lvmcore.report.evaluation import EvaluationTables

    if document := run.document_by():
        out.print(EvaluationTables(document, lab.registry).all())
    elif evaluated:
        out.print(Text.assemble(("nothing to evaluate:", "yellow"), " no epoch gave finite weights"))
    row = attrs.evolve(compare([run], lab.registry), yardsticks=())  # they stand beside it already
    out.print(lab.registry.make("report", Term("table", dist=CORE)).build()(row))
    out.print(f"{run.path}  ·  lvm compare shows it beside the others")
