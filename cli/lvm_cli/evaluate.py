"""lvm eval: 5CAT of a model or of a yardstick."""

from __future__ import annotations

from pathlib import Path

import click

from lvm_cli.console import console
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

SPLITS = ("train", "val", "ood")


def _splits(ctx: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
    splits = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not splits or set(splits) - set(SPLITS):
        raise click.BadParameter(f"'{text}' is no list of splits, such as val,ood")
    return splits


@click.command("eval")
@click.argument("what", metavar="MODEL|PREDICTOR")
@click.option(
    "--data", metavar="FILE|EXPR", help="The corpus; by default the one that the model was trained on, else wiki."
)
@click.option("--protocol", default="5cat", show_default=True, metavar="EXPR", help="Such as 5cat,resamples=2000.")
@click.option("--check", "checks", default="", metavar="EXPR", help="Checks of plugins with options, such as span:0.5.")
@click.option("--split", "splits", default="val,ood", show_default=True, callback=_splits, help="Splits to evaluate.")
@click.option("--gates", "profile", default=None, metavar="PROFILE", help="The gate profile.  [default: table]")
@click.option("--max-windows", type=click.IntRange(min=1), help="At most so many windows a split.  [default: all]")
@precision_option
@device_options
@click.option("--save", is_flag=True, help="Put the result into the run's folder.")
@registry_option
@plugin_options
@runs_option
@json_option
def command(
    what: str,
    data: str | None,
    protocol: str,
    checks: str,
    splits: tuple[str, ...],
    profile: str | None,
    max_windows: int | None,
    precision: str,
    device: str,
    rows_on_device: str,
    save: bool,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    root: Path,
    as_json: bool,
) -> None:
    """Evaluate a model (a run, its id, `latest`, or a .safetensors file) or a yardstick by name; a+b: their mean.

    \b
    lvm eval latest
    lvm eval copy-last --data kjv
    """
    lab = open_lab(files, without, registries, root, device=device, rows_on_device=rows_on_device)
    found = lab.evaluate(
        what,
        data,
        protocol=protocol,
        checks=checks,
        splits=splits,
        gates=profile,
        max_windows=max_windows,
        precision=precision,
        save=save,
    )
    if as_json:
        print_json(found.document)
        return
    from lvmcore.report.evaluation import EvaluationTables

    console().print(EvaluationTables(found.document, lab.registry).all())
