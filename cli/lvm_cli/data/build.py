"""lvm data build: a corpus from files of text."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import Any

import click

from lvm_cli.data.counts import print_counts
from lvm_cli.options import GivenPath, device_option, open_lab, plugin_options
from lvmcore.device import PRECISIONS
from lvmcore.errors import LvmError
from lvmcore.report.tables import duration, fact
from lvmcore.runs.run import command_line
from lvmcore.toolkit import Lab


@click.command("build")
@click.argument("name")
@click.argument("paths", metavar="FILES|FOLDERS…", nargs=-1, required=True, type=GivenPath())
@click.option("--reader", metavar="EXPR", default="", help="What reads the files.  [default: each by its suffix]")
@click.option("--chunker", metavar="EXPR", default="sentences:40", show_default=True, help="What cuts the text.")
@click.option(
    "--encoder", metavar="EXPR", default="minilm", show_default=True, help="What makes vectors of the chunks."
)
@device_option
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    show_default=True,
    help="Of the encoder; auto: bf16 where it is native.",
)
@click.option("--split", metavar="T/V/O", default="80/10/10", show_default=True, help="Shares of train, val and ood.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of what is drawn.")
@click.option("--val", metavar="PATTERN", multiple=True, help="Titles or sources that validate; may be repeated.")
@click.option("--ood", metavar="PATTERN", multiple=True, help="Titles or sources that are out of domain; the same.")
@click.option(
    "--by",
    type=click.Choice(["article", "source"]),
    default="article",
    show_default=True,
    help="Draw articles, or sources: the files and folders named, or what is in a folder named alone.",
)
@click.option(
    "--least",
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    help="Chunks of an article; a window has six.",
)
@click.option(
    "--boilerplate",
    metavar="N",
    type=int,
    default=3,
    show_default=True,
    help="Drop chunks whose text N articles have; 0 for none.",
)
@click.option("--keep-duplicates", is_flag=True, help="Drop no copies, near-duplicates and boilerplate.")
@click.option("--licence", default="unknown", help="Licence of the text.")
@click.option("--source", default="unknown", help="Where the text comes from.")
@click.option("-o", "--output", type=GivenPath(), help="The corpus file.  [default: NAME.safetensors]")
@click.option("--force", is_flag=True, help="Overwrite the corpus file.")
@click.option("--restart", is_flag=True, help="Begin anew, whatever an unfinished build has done.")
@click.option("--dry-run", is_flag=True, help="Count files, articles and chunks, and estimate the time; write nothing.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@plugin_options
def command(
    name: str,
    paths: tuple[Path, ...],
    output: Path | None,
    force: bool,
    restart: bool,
    dry_run: bool,
    quiet: bool,
    files: tuple[Path, ...],
    without: tuple[str, ...],
    **recipe: Any,
) -> None:
    """Make a corpus of text: NAME.safetensors, and NAME.texts.jsonl with the text of every chunk.

    Files are read by their suffix, also packed ones (.gz, .bz2, .xz, .zip). Copies, near-duplicates and boilerplate are
    dropped, then articles are divided by a hash of their titles, so that a further one moves no other.

    A build that is stopped or killed goes on where it was when the same command is given again.

    \b
    lvm data build mine texts/
    lvm data build mine talks/ books/ --ood 'books/*' --licence CC0
    """
    from lvmcore.building.build import target_of, working_folder

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = open_lab(files, without, stderr=False)
    lab.console.quiet = quiet
    if dry_run:
        _survey(lab, paths, recipe)
        return
    try:
        corpus = lab.corpora.build(name, paths, output, force=force, restart=restart, **recipe)
    except KeyboardInterrupt:
        raise _stopped(working_folder(target_of(name, output))) from None
    print_counts(lab.console, corpus)


def _survey(lab: Lab, paths: tuple[Path, ...], recipe: dict[str, Any]) -> None:
    found = lab.corpora.survey(paths, **recipe)
    for label, said in (
        ("read", f"{found.files:,} files, {found.articles:,} articles, {found.chunks:,} chunks"),
        ("kept", f"{found.kept_articles:,} articles, {found.kept_chunks:,} chunks"),
        ("encoding", f"about {duration(found.seconds)} here"),
    ):
        lab.console.print(fact(label, said))


def _stopped(folder: Path) -> LvmError:
    if not folder.exists():
        return LvmError("stopped before anything was read", fix="give the same command again; nothing is lost")
    return LvmError(
        "stopped; what was done is kept",
        where=str(folder),
        fix=f"{shlex.join(command_line())} goes on from there",
    )
