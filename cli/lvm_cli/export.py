"""lvm export: a model as a folder for others."""

from __future__ import annotations

from pathlib import Path

import click

from lvm_cli.console import console
from lvm_cli.options import GivenPath, open_lab, plugin_options, registry_option, runs_option
from lvmcore.plain import clean


@click.command("export")
@click.argument("what", metavar="RUN|FILE")
@click.argument("folder", metavar="DIR", type=GivenPath())
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["onnx", "torch-export"]),
    help="Also as a graph that needs no lvm; may stand twice.",
)
@click.option("--licence", default="", metavar="NAME", help="Of the weights, as the Hub names it: apache-2.0.")
@registry_option
@plugin_options
@runs_option
def command(
    what: str,
    folder: Path,
    formats: tuple[str, ...],
    licence: str,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    root: Path,
) -> None:
    """Write a folder that the Hugging Face Hub takes as it is.

    model.safetensors, config.json, and README.md: a model card with the figures of 5CAT beside the yardsticks, the
    corpus, its encoder and licences, and how to use the model. Graphs are held against the model before they are kept.

    \b
    lvm export latest my-model
    lvm export p1 my-model --format onnx --licence apache-2.0
    """
    lab = open_lab(files, without, registries, root)
    out = console()
    for file in lab.export(what, folder, formats=formats, licence=licence):
        out.print(clean(f"{file}  {file.stat().st_size:,} bytes"))
