"""lvm predict: what follows a text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from lvm_cli.console import console
from lvm_cli.options import (
    GivenPath,
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
from lvmcore.report.tables import one_line

if TYPE_CHECKING:
    from lvmcore.prediction.forecast import Forecast
    from lvmcore.prediction.neighbours import Neighbour


@click.command("predict")
@click.argument("what", metavar="MODEL|PREDICTOR")
@click.option("--text", "file", type=GivenPath(), default=Path("-"), help="The file; - or none: stdin.")
@click.option("--data", metavar="FILE|EXPR", help="The corpus to look in.  [default: that of the model]")
@click.option("--steps", type=click.IntRange(min=1), default=1, show_default=True, help="How many chunks ahead.")
@click.option("--nearest", type=click.IntRange(min=1), default=5, show_default=True, help="Chunks shown of each step.")
@click.option("--encoder", default="", metavar="EXPR", help="What encodes the text.  [default: as the corpus]")
@click.option("--chunker", default="", metavar="EXPR", help="What cuts the text.  [default: as the corpus]")
@precision_option
@device_options
@registry_option
@plugin_options
@runs_option
@json_option
def command(
    what: str,
    file: Path,
    data: str | None,
    steps: int,
    nearest: int,
    encoder: str,
    chunker: str,
    precision: str,
    device: str,
    rows_on_device: str,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    root: Path,
    as_json: bool,
) -> None:
    """Read a text, predict what follows, and show the chunks of the corpus that are nearest to it.

    The text is cut and encoded as the corpus was; its last chunks are the context. Chunks of the text that the corpus
    holds itself are no answer, and left out.

    \b
    lvm predict latest --text chapter.txt --steps 3
    """
    lab = open_lab(files, without, registries, root, device=device, rows_on_device=rows_on_device)
    found = lab.predict(
        what,
        _piped() if str(file) == "-" else file,
        data,
        steps=steps,
        nearest=nearest,
        encoder=encoder,
        chunker=chunker,
        precision=precision,
    )
    if as_json:
        print_json(found.document())
        return
    out = console()
    for line in _lines(found):
        out.print(line)


def _piped() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as problem:
        raise LvmError(f"byte {problem.start:,} is not UTF-8", where="standard input", fix="--text FILE") from None


def _lines(found: Forecast) -> list[Text]:
    read = [Text(f"   {one_line(one)}", style="dim") for one in found.context]
    lines = [Text(one_line(f"{found.model} reads"), style="bold"), *read]
    for number, nearest in enumerate(found.steps, 1):
        lines += [Text(), Text.assemble((f"step {number}", "bold"), f"   nearest in {one_line(found.corpus)}")]
        lines += [_neighbour(one) for one in nearest]
    return lines


def _neighbour(one: Neighbour) -> Text:
    place = f"{one.title or f'article {one.article}'}, chunk {one.chunk}"
    text = "" if one.text is None else f"\n          {one_line(one.text)}"
    return Text.assemble(f"   {one.cosine:.3f}  ", (one_line(place), "cyan"), text)
