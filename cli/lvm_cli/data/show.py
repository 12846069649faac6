"""lvm data show: what a corpus holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lvm_cli.console import console
from lvm_cli.options import json_option, open_lab, plugin_options, print_json
from lvmcore.report.tables import add_columns, fact, new_table


@click.command("show")
@click.argument("corpus", metavar="CORPUS")
@click.option("--verify", is_flag=True, help="Read all of it, and see that it is what its header says.")
@plugin_options
@json_option
def command(corpus: str, verify: bool, files: tuple[Path, ...], without: tuple[str, ...], as_json: bool) -> None:
    """Show counts, splits, origin and digest of a corpus, which is a file or an expression. Reads no row unasked."""
    told = open_lab(files, without).corpora.describe(corpus, verify=verify)
    if as_json:
        print_json(told)
        return
    out = console()
    for label, said in _facts(told):
        out.print(fact(label, said))
    table = new_table()
    add_columns(table, "split")
    add_columns(table, "articles", "chunks", "windows", right=True)
    for split, held in told["splits"].items():
        table.add_row(split, *(f"{held[key]:,}" for key in ("articles", "rows", "windows")))
    out.print(table)
    if verify:
        out.print("verified: the contents are those that were written")


def _facts(told: dict[str, Any]) -> list[tuple[str, str]]:
    encoder = " ".join(part for part in (told["encoder"], told["revision"], told["weights"]) if part)
    built = f" (built again by {told['encoder_term']})" if told["encoder_term"] else ""
    least, median, most = told["lengths"].values()
    sources = ", ".join(f"{name} {count:,}" for name, count in list(told["sources"].items())[:8])
    facts = [
        ("corpus", f"{told['name']}, {told['where']}"),
        (
            "holds",
            f"{told['rows']:,} chunks of width {told['width']} ({told['type']}) in {told['articles']:,} articles",
        ),
        ("lengths", f"{least:,} to {most:,} chunks, median {median:,}"),
        ("encoder", encoder + built),
        ("chunking", told["chunking"]),
        ("licence", told["licence"]),
        ("source", told["source"]),
        ("from", f"{sources}{' …' if len(told['sources']) > 8 else ''}"),
        ("titles", ", ".join(told["titles"])),
        *(("text", text[:200]) for text in told["texts"] or ()),
        ("texts", "" if told["texts"] is not None else "none"),
        ("digest", told["digest"]),
    ]
    return [(label, said) for label, said in facts if said]
