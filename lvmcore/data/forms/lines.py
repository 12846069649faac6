"""A file of JSON lines beside an array of vectors: a line a row, which says what the row is of."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lvmcore.data.corpus import Corpus
from lvmcore.data.forms.archive import read_array, write_array
from lvmcore.data.forms.columns import articles_of, by_role, text_of, unread
from lvmcore.data.forms.flat import read_flat
from lvmcore.data.forms.found import Found, Reading, reading_of
from lvmcore.data.forms.outline import Outline, Writing
from lvmcore.data.store.contents import blocks
from lvmcore.data.windows import SPLITS
from lvmcore.errors import LvmError
from lvmcore.files import whole_file

LINES = "a JSON object a line, and a line a row"
LONGEST = 1 << 26  # bytes of a line


def read(vectors: Path, lines: Path | None, reading: Reading) -> Found:
    """Read an array of vectors, or a flat index, and the lines that say what its rows are of.

    Raises:
        LvmError: either is damaged, or they are not of the same length.
    """
    rows = read_array(vectors, reading) if vectors.suffix == ".npy" else read_flat(vectors)
    if lines is None:
        return articles_of(rows, {}, reading, str(vectors))
    with reading_of(lines, LINES):
        columns, texts, note = _columns(lines, reading, len(rows) if rows.ndim else 0)
    return articles_of(rows, columns, reading, f"{vectors} with {lines}", by_row=True, texts=texts, notes=[note])


class LineTexts:
    """One text a line, of which only those asked for are read."""

    def __init__(self, file: Path, offsets: array[int], name: str) -> None:
        self._file, self._offsets, self._name = file, offsets, name

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, row: int) -> str:
        return next(self._texts([row]))

    def __iter__(self) -> Iterator[str]:
        return self._texts(range(len(self)))

    def _texts(self, rows: Any) -> Iterator[str]:
        with reading_of(self._file, LINES), self._file.open("rb") as handle:
            for row in rows:
                handle.seek(self._offsets[row])
                yield text_of(json.loads(handle.readline()).get(self._name))


def _columns(file: Path, reading: Reading, rows: int) -> tuple[dict[str, list[Any]], LineTexts | None, str]:
    """What each line says by its role, the texts, and a note of what is not read."""
    offsets, seen, shared = array("q"), dict[str, None](), dict[str, str]()
    roles: dict[str, str] = {}
    held: dict[str, list[Any]] = {}
    for begin, said in _objects(file):
        if len(offsets) == rows:
            raise LvmError(f"there are more lines than the {rows:,} rows", where=str(file), expected=LINES)
        if not offsets:
            roles = by_role(said, reading, str(file))[0]
            held = {role: [] for role in roles if role not in ("text", "vectors")}
        offsets.append(begin)
        if len(seen) < 1000:
            seen.update(dict.fromkeys(said))
        for role, column in held.items():
            value = said.get(roles[role])
            if isinstance(value, list | dict):
                raise LvmError(f"line {len(offsets)}: '{roles[role]}' is no number and no text", where=str(file))
            column.append(shared.setdefault(value, value) if isinstance(value, str) else value)
    if len(offsets) != rows:
        raise LvmError(f"there are {len(offsets):,} lines for {rows:,} rows", where=str(file), expected=LINES)
    texts = LineTexts(file, offsets, roles["text"]) if "text" in roles else None
    return held, texts, unread(seen, [name for role, name in roles.items() if role != "vectors"])


def _objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each object, and the byte at which its line begins."""
    begin = 0
    with file.open("rb") as handle:
        for number, line in enumerate(iter(lambda: handle.readline(LONGEST), b""), 1):
            if len(line) == LONGEST:
                raise LvmError(f"line {number} has no end in {LONGEST:,} bytes", where=str(file), expected=LINES)
            try:
                said = json.loads(line)
            except (ValueError, RecursionError) as problem:
                raise LvmError(f"line {number} is no JSON: {problem}", where=str(file), expected=LINES) from None
            if not isinstance(said, dict):
                raise LvmError(f"line {number} is no JSON object", where=str(file), expected=LINES)
            yield begin, said
            begin += len(line)


def write(corpus: Corpus, file: Path, writing: Writing) -> list[str]:
    """Write the vectors, and beside them `FILE.jsonl` with a line a row."""
    outline = Outline(corpus)
    dtype = outline.dtype
    own = iter(corpus.texts) if writing.texts and corpus.texts is not None else None
    size = len(corpus) * corpus.dim * dtype.itemsize
    with whole_file(file, size, parents=True) as rows, whole_file(file.with_suffix(".jsonl"), size) as lines:
        parts = (corpus.vectors[begin:end].numpy() for begin, end in blocks(len(corpus)))
        write_array(rows, (len(corpus), corpus.dim), dtype, parts)
        for article, (length, split) in enumerate(zip(outline.lengths.tolist(), outline.splits.tolist(), strict=True)):
            said: dict[str, Any] = {"article": article, "split": SPLITS[split]}
            said |= {"title": outline.titles[article]} if outline.titles else {}
            said |= {"source": outline.sources[article]} if outline.sources else {}
            for chunk in range(length):
                text = {"text": next(own)} if own is not None else {}
                lines.write(json.dumps({**said, "chunk": chunk, **text}, ensure_ascii=False).encode() + b"\n")
    return outline.notes
