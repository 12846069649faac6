"""Any bytes at all are articles or an error of ours, for every reader and every compression.

By default a few hundred inputs each; `LVM_FUZZ=20000 pytest tests/fuzz -s` takes as many as it is told, and each time
others.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutation import FUZZ, INPUTS, mutated

from lvmcore.data.sources.read import Reading
from lvmcore.data.sources.text import PART, Source, clean, clean_title
from lvmcore.data.sources.unpack import Bounds
from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

SLOWEST = 5.0
"""Seconds of the processor that an input of some kilobytes may take."""

REGISTRY = Registry(Plugins(only=()))
READERS = {found.name: found.component for found in REGISTRY.all("reader")}
TERMS = {
    "text": ["text", "text,article=line", "text,article=heading", "text,encoding=utf-16", "text,encoding=cp1252"],
    "markdown": ["markdown", "markdown,depth=2", "markdown,depth=6"],
    "html": ["html", "html,depth=1", "html,depth=6", "html,encoding=latin-1"],
    "jsonl": ["jsonl", "jsonl,article=id", "jsonl,text=id", "jsonl,title=text"],
    "parquet": ["parquet", "parquet,article=id", "parquet,text=id", "parquet,text=title"],
}
BITS = json.loads(Path(__file__).with_name("bits.json").read_text("utf-8"))
"""What files of each type are made of."""


def plain(name: str) -> st.SearchStrategy[bytes]:
    """Bytes that are nearly a file of this type."""
    example = READERS[name].example()
    bits = st.one_of(st.sampled_from(BITS[name]), st.text(max_size=8)).map(lambda bit: bit.encode("utf-8", "replace"))
    repeated = st.tuples(bits, st.one_of(st.just(1), st.integers(1, 600))).map(lambda pair: pair[0] * pair[1])
    return st.one_of(
        st.binary(max_size=300),
        st.lists(repeated, max_size=40).map(b"".join),
        mutated(example),
        mutated(example),
        st.tuples(st.sampled_from([b"", b"\xef\xbb\xbf"]), mutated(example), st.binary(max_size=20)).map(b"".join),
        mutated(example.decode("latin-1").encode("utf-16")),
    )


def read(articles: Any, counts: Counter[str]) -> None:
    """Read all, and hold it to what every article promises."""
    counts["inputs"] += 1
    begin, problem = time.process_time(), None
    try:
        for article in articles():
            counts["articles"] += 1
            assert article.title == clean_title(article.title) != ""
            for paragraph in article.paragraphs:
                counts["paragraphs"] += 1
                assert paragraph.strip()
                assert paragraph in (paragraph.strip(), paragraph.strip() + " ")
                assert len(paragraph) <= PART + 1
                assert clean(paragraph) == paragraph
                paragraph.encode()
    except LvmError as found:
        problem = found
        counts["errors"] += 1
    assert problem is None or "a." in (problem.where or ""), f"the error does not name the file: {problem}"
    assert clean(str(problem)) == str(problem), "the error holds what acts on a terminal"
    assert time.process_time() - begin < SLOWEST


def say(what: str, counts: Counter[str]) -> None:
    print(f"\n{what}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    assert counts["inputs"] >= INPUTS or not counts["inputs"]


@pytest.mark.parametrize("name", TERMS)
def test_any_bytes_are_articles_or_an_error(name: str) -> None:
    counts: Counter[str] = Counter(dict.fromkeys(("inputs", "errors", "articles", "paragraphs"), 0))
    makers = [REGISTRY.make("reader", parse_one(term)).build() for term in TERMS[name]]

    @FUZZ
    @given(data=plain(name), maker=st.sampled_from(makers))
    def fuzz(data: bytes, maker: Any) -> None:
        read(lambda: maker(Source("a.x", lambda: io.BytesIO(data))), counts)

    fuzz()
    say(f"reader {name}", counts)
    assert counts["articles"] > INPUTS / 1000
    assert counts["errors"] > INPUTS / 1000


def zipped(data: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.txt", data)
        archive.writestr("c/d.md.gz", gzip.compress(data))
        archive.writestr(".hidden.txt", data)
    return held.getvalue()


@pytest.mark.parametrize("suffix", [".txt.gz", ".txt.bz2", ".txt.xz", ".zip"])
def test_any_packed_bytes_are_articles_or_an_error(suffix: str, tmp_path: Path) -> None:
    counts: Counter[str] = Counter(dict.fromkeys(("inputs", "errors", "articles", "paragraphs"), 0))
    pack = {".txt.gz": gzip.compress, ".txt.bz2": bz2.compress, ".txt.xz": lzma.compress, ".zip": zipped}[suffix]
    texts = (b"A text.\n\nAnother.\n", b"", bytes(200_000), b"line\n" * 20_000)
    good = st.sampled_from([pack(text) for text in texts])
    file = tmp_path / f"a{suffix}"

    @FUZZ
    @given(data=st.one_of(st.binary(max_size=200), good, good.flatmap(mutated), good.flatmap(mutated)))
    def fuzz(data: bytes) -> None:
        file.write_bytes(data)
        reading = Reading(REGISTRY, bounds=Bounds(most=1 << 20))
        read(lambda: (article for _, article in reading.articles([file])), counts)

    fuzz()
    say(f"packed {suffix}", counts)
    assert counts["articles"] > INPUTS / 1000
    assert counts["errors"] > INPUTS / 1000
