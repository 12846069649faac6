"""lvm data inspect: what a corpus holds, and whether there is a forward signal in it."""

from __future__ import annotations

from pathlib import Path

import click

from lvm_cli.console import console
from lvm_cli.options import GivenPath, json_option, open_lab, plugin_options, print_json


@click.command("inspect")
@click.argument("data", metavar="CORPUS")
@click.option(
    "--split",
    type=click.Choice(["val", "ood"]),
    default="val",
    show_default=True,
    help="The split that the signal is measured on.",
)
@click.option(
    "--context", type=click.IntRange(min=1), default=5, show_default=True, help="Rows that a target is foretold from."
)
@click.option(
    "--windows",
    type=click.IntRange(min=1),
    default=60_000,
    show_default=True,
    help="Training windows to take at most, and a quarter of that of the other split.",
)
@click.option(
    "--near",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="The cosine from which on a row is nearly a copy of another.",
)
@click.option(
    "--baseline", default="", metavar="EXPR", help="The predictor that averages.  [default: the one of that role]"
)
@click.option("--resamples", type=click.IntRange(min=1), default=1000, show_default=True, help="Of the bootstrap.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is drawn.")
@click.option("--plot", "picture", type=GivenPath(), metavar="FILE", help="Draw it, as .png, .svg, .pdf.")
@plugin_options
@json_option
def command(
    data: str,
    split: str,
    context: int,
    windows: int,
    near: float,
    baseline: str,
    resamples: int,
    seed: int,
    picture: Path | None,
    files: tuple[Path, ...],
    without: tuple[str, ...],
    as_json: bool,
) -> None:
    """Look into a corpus (a file or an expression): counts, copies, coherence, and its forward signal.

    \b
    lvm data inspect wiki
    lvm data inspect mine.safetensors --plot mine.png
    """
    if picture:
        from lvmcore.report.inspection.picture import require

        require(picture)  # before it takes a minute
    lab = open_lab(files, without)
    with console(stderr=True).status("looking into it …") as status:
        found = lab.corpora.inspect(
            data,
            progress=lambda said: status.update(f"{said} …"),
            split=split,
            context=context,
            windows=windows,
            near=near,
            baseline=baseline,
            resamples=resamples,
            seed=seed,
        )
    document = found.document()
    if picture:
        from lvmcore.report.inspection.picture import plot

        plot(document, picture)
    if as_json:
        print_json(document)
        return
    from lvmcore.report.inspection.tables import InspectionTables

    console().print(InspectionTables(document).all())
