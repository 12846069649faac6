"""Rows with a number or a name of their article, and the articles that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lvmcore.data.forms.found import Found, Reading, RowTexts
from lvmcore.data.windows import SPLITS
from lvmcore.errors import LvmError
from lvmcore.plain import clean, clean_title

ROLES = {
    "vectors": ("vectors", "vector", "embeddings", "embedding", "X"),
    "article": ("article_indices", "article_ids", "article_index", "article_id", "article", "doc_id"),
    "chunk": ("chunk_indices", "seq_idx", "chunk_index", "chunk_id", "chunk"),
    "title": ("titles", "title"),
    "split": ("splits", "split"),
    "source": ("sources", "source"),
    "text": ("concept_texts", "texts", "text", "chunk_text"),
}
"""What a column is of use for, and what the tools call it."""

SPLIT_NAMES = {
    **{name: number for number, name in enumerate(SPLITS)},
    **{"training": 0, "validation": 1, "valid": 1, "dev": 1, "test": 2},
}
TEST = "what the file calls 'test' is ood here, whatever it comes from"


def by_role(
    names: Iterable[str],
    reading: Reading,
    where: str,
    also: Iterable[str] = (),
    roles: Mapping[str, tuple[str, ...]] = ROLES,
) -> tuple[dict[str, str], str]:
    """Which name plays which role, and a note of those that play none.

    Args:
        names: of what a file holds.
        also: names that are read too, but are no columns.
        roles: and what each is called.

    Raises:
        LvmError: a column that was asked for is not there, or a role is none.
    """
    names = list(names)
    for role, name in reading.columns.items():
        if role not in roles:
            raise LvmError(f"'{role}' is nothing that a column can be", where=where, expected=", ".join(roles))
        if name not in names:
            raise LvmError(f"there is no column '{name}'", where=where, expected=f"one of: {', '.join(sorted(names))}")
    held = {role: next((name for name in known if name in names), None) for role, known in roles.items()}
    held |= reading.columns
    found = {role: name for role, name in held.items() if name is not None}
    return found, unread(names, [*found.values(), *also])


def unread(names: Iterable[str], read: Iterable[str]) -> str:
    """A note of the names of which nothing is read; empty if there are none."""
    left = sorted(set(names) - set(read))
    listed = ", ".join(f"'{clean_title(name)}'" for name in left[:12])
    more = f" and {len(left) - 12} more" if len(left) > 12 else ""
    return f"not read, since nothing in a corpus corresponds: {listed}{more}" if left else ""


def articles_of(
    vectors: np.ndarray,
    columns: Mapping[str, Any],
    reading: Reading,
    where: str,
    *,
    by_row: bool = False,
    texts: RowTexts | None = None,
    facts: Mapping[str, str] | None = None,
    notes: Iterable[str] = (),
) -> Found:
    """Sort rows into articles.

    Args:
        vectors: (N, D).
        columns: by role. `article` and `chunk` are one a row. `title` and `split` are one an article, in ascending
            order of what `article` holds; or one a row; or by the article's number, where there are more of them.
        by_row: all are one a row.
        texts: one a row.

    Raises:
        LvmError: vectors that are none, columns that don't fit, an article in two splits.
    """
    said = [note for note in notes if note]
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise LvmError(f"vectors are {vectors.dtype} {vectors.shape}", where=where, expected="(N, D) floats")
    rows = len(vectors)
    held = {role: _array(values) for role, values in columns.items() if values is not None}
    for role in {"article", "chunk"} & set(held):
        if held[role].shape != (rows,):
            raise LvmError(
                f"'{role}' has shape {held[role].shape} for {rows} vectors", where=where, expected="one a vector"
            )
    if texts is not None and len(texts) != rows:
        raise LvmError(f"there are {len(texts)} texts for {rows} vectors", where=where, expected="one a vector")
    articles = Articles(held, rows, reading, where, by_row)
    chunks = _chunks(held["chunk"], where) if "chunk" in held else np.arange(rows)
    order = np.lexsort((chunks, articles.number))
    sorted_already = bool((order == np.arange(rows)).all())
    if not sorted_already:
        said.append("the rows were sorted by article and chunk")
    if "chunk" in held:
        said += _gaps(articles.number[order], chunks[order])
    titles = articles.titles(held.get("title"), said)
    splits = articles.splits(held["split"], titles, said) if "split" in held else None
    return Found(
        where=where,
        vectors=vectors,
        order=None if sorted_already else order,
        starts=np.concatenate([[0], np.bincount(articles.number).cumsum()]).astype(np.int64),
        titles=titles,
        splits=splits,
        sources=articles.sources(held.get("source"), said),
        texts=texts,
        facts=facts or {},
        notes=tuple(said),
    )


class Articles:
    """Which rows are of which article."""

    def __init__(
        self, held: Mapping[str, np.ndarray], rows: int, reading: Reading, where: str, by_row: bool = False
    ) -> None:
        self.where, self.by_row = where, by_row
        self.number: np.ndarray
        """(N,) int64: the article of each row, 0 … A − 1."""
        self.names: np.ndarray
        """(A,): what the file calls each."""
        if "article" in held:
            self.number, self.names = self._numbered(held["article"])
        elif rows and "title" in held and held["title"].shape == (rows,):
            self.number, self.names = self._numbered(held["title"])
        elif reading.one_article:
            self.number, self.names = np.zeros(rows, np.int64), np.arange(min(rows, 1))
        else:
            raise LvmError(
                "nothing says which article a row is of",
                where=where,
                expected=f"one of {', '.join(ROLES['article'])}, or a title a row",
                fix="--column article=NAME, a .jsonl with a line a row beside it, or --one-article",
            )
        self.first = np.zeros(len(self.names), np.int64)
        """(A,): the first row of each."""
        self.first[self.number[::-1]] = np.arange(rows)[::-1]

    def titles(self, held: np.ndarray | None, said: list[str]) -> tuple[str, ...]:
        """One an article; their names where there are no titles."""
        if held is None:
            return tuple(clean_title(_text(name)) for name in self.names) if self.names.dtype.kind in "USO" else ()
        return self._named("titles", held, said)

    def sources(self, held: np.ndarray | None, said: list[str]) -> tuple[str, ...]:
        """One an article, or none."""
        return () if held is None else self._named("sources", held, said)

    def _named(self, role: str, held: np.ndarray, said: list[str]) -> tuple[str, ...]:
        each, apart = self._each(role, held, said)
        if apart:
            said.append(f"{apart} articles have rows of several {role}; that of their first row was taken")
        return tuple(clean_title(_text(name)) for name in each)

    def splits(self, held: np.ndarray, titles: Sequence[str], said: list[str]) -> np.ndarray:
        """(A,) uint8."""
        if held.dtype.kind in "USO":
            lowered = [_text(value).strip().lower() for value in held.flat]
            if "test" in lowered:
                said.append(TEST)
            held = np.array([SPLIT_NAMES.get(name, 255) for name in lowered], np.uint8).reshape(held.shape)
        if held.dtype.kind not in "biu" or not np.isin(held, (0, 1, 2)).all():
            raise LvmError(
                "'splits' are not split numbers",
                where=self.where,
                expected=f"0 train, 1 val or 2 ood each, or names: {', '.join(SPLIT_NAMES)}",
            )
        each, apart = self._each("splits", held, said)
        if apart:
            article = int(self.number[np.flatnonzero(held != each[self.number])[0]])
            title = f" ('{titles[article]}')" if titles else ""
            raise LvmError(
                f"{apart} articles are in more than one split, the first of them article {article}{title}",
                where=self.where,
                expected="all rows of an article in one, or what trains leaks into what validates",
            )
        return each.astype(np.uint8)

    def _numbered(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers stand in ascending order, as fixed-width names do; other names in the order in which they come."""
        if values.dtype.kind == "O":
            table: dict[str, int] = {}
            try:
                named = (table.setdefault(_name(value), len(table)) for value in values)
                number = np.fromiter(named, np.int64, len(values))
            except ValueError as problem:
                raise LvmError(f"{problem}", where=self.where, expected="a number or a name a row") from None
            return number, np.array(list(table), object)
        if values.dtype.kind == "f" and np.isfinite(values).all() and (np.abs(values) < 2**53).all():
            whole = values.astype(np.int64)
            values = whole if (whole == values).all() else values
        if values.dtype.kind not in "biuUS":
            raise LvmError(f"the articles are {values.dtype}", where=self.where, expected="whole numbers or names")
        names, number = np.unique(values, return_inverse=True)
        return number.astype(np.int64), names

    def _each(self, role: str, held: np.ndarray, said: list[str]) -> tuple[np.ndarray, int]:
        """The entry of each article (A,), and how many have rows with another."""
        count = len(self.names)
        if held.shape == (count,) and not self.by_row:
            return held, 0
        if held.shape == self.number.shape:
            each = held[self.first]
            return each, len(np.unique(self.number[held != each[self.number]]))
        numbered = self.names.dtype.kind in "iu" and count and held.ndim == 1
        if numbered and len(held) > count and 0 <= int(self.names[0]) <= int(self.names[-1]) < len(held):
            said.append(f"there are {len(held)} {role} for {count} articles: each was found by the article's number")
            return held[self.names.astype(np.int64)], 0
        raise LvmError(
            f"'{role}' holds {held.size} entries for {count} articles",
            where=self.where,
            expected="one entry an article, in the order of their numbers, or one a row",
        )


def _array(values: Any) -> np.ndarray:
    """Numbers as numbers; a list of anything else as objects, which share their texts and are not padded."""
    if isinstance(values, np.ndarray):
        return values
    if all(isinstance(value, int | float) for value in values):
        return np.asarray(values)
    held = np.empty(len(values), object)
    held[:] = values
    return held


def _chunks(values: np.ndarray, where: str) -> np.ndarray:
    if values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and not np.isfinite(values).all()):
        raise LvmError(f"the chunk numbers are {values.dtype}, or not finite", where=where, expected="whole numbers")
    return values


def _gaps(number: np.ndarray, chunks: np.ndarray) -> list[str]:
    """Notes on chunks that are there twice or not at all; both arrays in order."""
    same = number[1:] == number[:-1]
    said = []
    if twice := int((same & (chunks[1:] == chunks[:-1])).sum()):
        said.append(f"{twice} rows have the article and chunk of another; they stand in the order of the file")
    after = same & (chunks[1:] == chunks[:-1] + 1)
    gaps = same & (chunks[1:] > chunks[:-1]) & ~after
    if gaps.any() and after.sum() > gaps.sum():  # else the numbers count something else, such as characters
        said.append(
            f"{len(np.unique(number[1:][gaps]))} articles lack chunks; what stands about a gap counts as consecutive"
        )
    return said


def _name(value: Any) -> str:
    if not isinstance(value, str | bytes | int | float):
        raise ValueError("a row names no article" if value is None else f"an article is called {value!r:.40}")
    return clean_title(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


def text_of(value: Any) -> str:
    """The text of a chunk, in whatever type a file has it."""
    return clean(_text(value))
