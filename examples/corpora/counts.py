"""What a corpus holds, by source: `python examples/corpora/counts.py FOLDER/docs.counts.json` shows it as a table."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lvmcore import Corpus

WINDOW = 6
"""Chunks of one: five that are read, and one that is predicted."""
FIGURES = ("articles", "chunks", "windows")
SPLITS = ("train", "val", "ood")


def count(corpus: Corpus, texts: Path) -> dict[str, Any]:
    """Articles, chunks and windows of a corpus by source and split; the digest of its texts."""
    lengths = np.diff(corpus.starts)
    windows = np.maximum(lengths - WINDOW + 1, 0)
    # a folder that is built alone is no source: its files are, where titles begin with the recipe's source in any case
    sources = np.array([title.partition("/")[0] for title in corpus.info.titles])
    rows: dict[str, dict[str, dict[str, int]]] = {}
    for source in dict.fromkeys(sources.tolist()):
        for number, split in enumerate(SPLITS):
            of = (sources == source) & (np.asarray(corpus.splits) == number)
            if of.any():
                own = (of.sum(), lengths[of].sum(), windows[of].sum())
                rows.setdefault(source, {})[split] = {name: int(n) for name, n in zip(FIGURES, own, strict=True)}
    with texts.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"texts": f"sha256:{digest}", "sources": rows}


def table(counts: dict[str, Any]) -> str:
    """The counts as a table of Markdown, and their sums by split."""
    rows = [(source, split, own) for source, splits in counts["sources"].items() for split, own in splits.items()]
    lines = ["| source | split | articles | chunks | windows |", "|---|---|--:|--:|--:|"]
    lines += [_line(f"`{source}`", split, own) for source, split, own in rows]
    for split in SPLITS:
        of = [own for _, other, own in rows if other == split]
        lines.append(_line("*all*", split, {name: sum(own[name] for own in of) for name in FIGURES}))
    return "\n".join(lines)


def _line(source: str, split: str, own: dict[str, int]) -> str:
    return f"| {source} | {split} | " + " | ".join(f"{own[name]:,}" for name in FIGURES) + " |"


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
