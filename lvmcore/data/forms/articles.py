"""NPZ files with a row a chunk: vectors, and arrays that say which article each is of."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.forms.archive import Archive, write_array
from lvmcore.data.forms.columns import articles_of, by_role, text_of
from lvmcore.data.forms.found import Found, Reading
from lvmcore.data.forms.outline import ABOUT, Outline, Writing, about, facts_of
from lvmcore.data.store.contents import blocks
from lvmcore.errors import LvmError
from lvmcore.files import whole_file
from lvmcore.plain import clean_title

MOST_TEXT = 1 << 33
"""Bytes of texts of one width; they are packed in the file, but not by who reads it."""


def read(archive: Archive, reading: Reading) -> Found:
    """Read vectors (N, D), article_indices (N,) and what else there is, under any of the names that tools use.

    Raises:
        LvmError: what is needed is missing, or does not fit.
    """
    where = str(archive.file)
    roles, note = by_role(archive, reading, where, also=[ABOUT])
    if "vectors" not in roles:
        names = ", ".join(sorted(map(clean_title, archive))) or "nothing"
        raise LvmError(
            f"the file lacks vectors; it holds {names:.200}",
            where=where,
            expected="vectors (N, D) and article_indices (N,)",
            fix="--column vectors=NAME, where they are called otherwise",
        )
    held = {role: archive.read(name) for role, name in roles.items()}
    texts = held.pop("text", None)
    return articles_of(
        held.pop("vectors"),
        held,
        reading,
        where,
        texts=None if texts is None else ArrayTexts(texts),
        facts=facts_in(archive),
        notes=[note],
    )


class ArrayTexts:
    """Texts in an array, each made clean when it is asked for."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array.reshape(-1)

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, row: int) -> str:
        return text_of(self._array[row])

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))


def facts_in(archive: Archive) -> dict[str, str]:
    """What an exported file says of its vectors; nothing where another tool wrote it."""
    return facts_of(str(archive.read(ABOUT))) if ABOUT in archive.entries else {}


def write(corpus: Corpus, file: Path, writing: Writing) -> list[str]:
    """Write every row once, as `read` reads it. Gives what is to be known of it.

    Raises:
        LvmError: texts of one width, as such a file has them, would take too much room.
    """
    outline = Outline(corpus)
    shape, dtype = (len(corpus), corpus.dim), outline.dtype
    kind = _width(corpus) if writing.texts and corpus.texts is not None else None
    with (
        whole_file(file, math.prod(shape) * dtype.itemsize, parents=True) as stream,
        zipfile.ZipFile(stream, "w") as archive,
    ):
        rows = (corpus.vectors[begin:end].numpy() for begin, end in blocks(len(corpus)))
        put(archive, "vectors", shape, dtype, rows)
        put_whole(archive, "article_indices", outline.number)
        put_whole(archive, "chunk_indices", outline.within)
        put_about(archive, outline, corpus.info)
        if kind and corpus.texts is not None:
            parts = (np.array(corpus.texts.take(range(begin, end)), kind) for begin, end in blocks(len(corpus)))
            put(archive, "concept_texts", shape[:1], kind, parts, zipfile.ZIP_DEFLATED)  # mostly padding
    return outline.notes


def put_about(
    archive: zipfile.ZipFile, outline: Outline, info: CorpusInfo, which: np.ndarray | slice = slice(None)
) -> None:
    """Write the splits, titles and sources of some articles, and where the vectors come from."""
    put_whole(archive, "splits", outline.splits[which])
    for name, held in (("titles", outline.titles), ("sources", outline.sources)):
        if held:
            put_whole(archive, name, np.array(held)[which])
    put_whole(archive, ABOUT, np.array(about(info)))


def put_whole(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    """Write an array that is there as a whole."""
    put(archive, name, array.shape, array.dtype, [array])


def put(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    parts: Iterable[np.ndarray],
    compression: int = zipfile.ZIP_STORED,
) -> None:
    """Write an array of an archive block by block."""
    entry = zipfile.ZipInfo(f"{name}.npy")  # of 1980, so that the same corpus gives the same file
    entry.compress_type = compression
    with archive.open(entry, "w", force_zip64=True) as stream:
        write_array(stream, shape, dtype, parts)


def _width(corpus: Corpus) -> np.dtype:
    """The type of a text as wide as the longest."""
    longest = max(map(len, corpus.texts or ()), default=1) or 1
    if (room := 4 * longest * len(corpus)) > MOST_TEXT:
        raise LvmError(
            f"the longest text has {longest:,} characters: {len(corpus):,} of that width take {room:,} bytes unpacked",
            where=corpus.where,
            expected=f"at most {MOST_TEXT:,}",
            fix="--form parquet, or --no-texts",
        )
    return np.dtype(f"<U{longest}")
