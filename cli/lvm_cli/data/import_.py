"""lvm data import: a corpus from another form."""

from __future__ import annotations

import re
from typing import Any

import click

from lvm_cli.console import console
from lvm_cli.data.counts import print_counts
from lvm_cli.options import open_lab


class Size(click.ParamType):
    """Bytes, such as 500M or 8G."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if not (found := re.fullmatch(r"([1-9]\d{0,8})([KMGT]?)", value.upper())):
            self.fail(f"'{value}' is no size, such as 500M or 8G", param, ctx)
        return int(found[1]) << 10 * " KMGT".index(found[2] or " ")


class Column(click.ParamType):
    """role=NAME"""

    name = "column"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        role, equals, name = value.partition("=")
        if not (role and equals and name):
            self.fail(f"'{value}' is no role=NAME, such as text=body", param, ctx)
        return role, name


@click.command("import")
@click.argument("sources", nargs=-1, required=True, type=click.Path(), metavar="SOURCE…")
@click.option("-o", "--output", type=click.Path(), help="The corpus file.  [default: SOURCE.safetensors]")
@click.option("--name", help="Name of the corpus.  [default: that of the file]")
@click.option("--encoder", help="The model that made the vectors.  [default: as the file says, else unknown]")
@click.option("--chunking", help="How the text was cut into chunks.  [default: as for --encoder]")
@click.option("--licence", help="Licence of the text.  [default: as for --encoder]")
@click.option("--source", help="Where the text comes from.  [default: as for --encoder]")
@click.option(
    "--column", "columns", multiple=True, type=Column(), metavar="ROLE=NAME",
    help="What the file calls vectors, article, chunk, title, split, source or text; repeatable.",
)  # fmt: skip
@click.option("--one-article", is_flag=True, help="Where nothing says which article a row is of, all are one.")
@click.option("--split", default="80/10/10", show_default=True, help="Shares, where the file has no splits.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the splits, where the file has none.")
@click.option("--trust-pickle", is_flag=True, help="Unpickle what is pickled, which can run any code.")
@click.option(
    "--max-unpacked",
    type=Size(),
    metavar="SIZE",
    help="What a file may unpack to.  [default: 1G, or 20 times its size]",
)
@click.option("--force", is_flag=True, help="Overwrite the corpus file, and mix vectors of several encoders.")
def command(sources: tuple[str, ...], output: str | None, columns: tuple[tuple[str, str], ...], **options: Any) -> None:
    """Read vectors with the articles that they are of; nothing is unpickled unasked.

    A SOURCE is an NPZ file of chunks or of expanded windows, an .npy file with a .jsonl of a line a row, a
    Parquet file with a column of lists, a flat FAISS index with a .jsonl, or a `datasets` folder. Several make
    one corpus. Where there are no splits, they are drawn by article.
    """
    about = {name: options.pop(name) for name in ("name", "encoder", "chunking", "licence", "source")}
    told = {name: said for name, said in about.items() if said is not None}
    lab = open_lab(stderr=False)
    corpus = lab.corpora.import_(sources, output, columns=dict(columns), **options, **told)
    print_counts(console(), corpus)
