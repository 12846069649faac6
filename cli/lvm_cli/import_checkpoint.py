"""lvm import-checkpoint: a model of the older tools."""

from __future__ import annotations

from pathlib import Path

import click

from lvm_cli.console import console
from lvm_cli.options import GivenPath, open_lab, plugin_options
from lvmcore.plain import clean
from lvmcore.report.tables import fact


@click.command("import-checkpoint")
@click.argument("file", metavar="FILE.pt", type=GivenPath())
@click.option("-o", "--output", type=GivenPath(), help="[default: FILE.safetensors, beside it]")
@click.option("--arch", default="", metavar="EXPR", help="What the tensors don't tell: transformer,heads=4.")
@click.option("--inputs", metavar="EXPR", help="[default: pos:0.03 where it reads one channel more than it predicts]")
@click.option("--context", type=click.IntRange(min=1), default=5, show_default=True, help="Rows that it reads.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@plugin_options
def command(
    file: Path,
    output: Path | None,
    arch: str,
    inputs: str | None,
    context: int,
    force: bool,
    files: tuple[Path, ...],
    without: tuple[str, ...],
) -> None:
    """Read a checkpoint of the older tools (model_state_dict in a .pt) as a model of ours, in a file without pickles.

    LSTM, GRU, transformer and AMN, as they are by their tensors. Nothing in the file is run.

    \b
    lvm import-checkpoint best_model.pt
    lvm eval best_model.safetensors --data mine.safetensors
    """
    lab = open_lab(files, without, stderr=False)
    made, found = lab.import_checkpoint(file, output, arch=arch, inputs=inputs, context=context, force=force)
    out, recipe = console(), found.model.recipe
    out.print(fact("model", f"{recipe.arch}, {found.model.parameter_count:,} parameters"))
    out.print(fact("inputs", recipe.inputs or "none"))
    out.print(fact("reads", f"{recipe.context} rows of {recipe.dim}"))
    if found.assumed:
        out.print(fact("assumed", f"{', '.join(found.assumed)}; the file does not say"))
    out.print(clean(f"{made}: {made.stat().st_size:,} bytes"))
