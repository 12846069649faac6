"""NPZ files of expanded windows: each with its context and its target, of which the rows are made again."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
import torch

from lvmcore.data.corpus import Corpus
from lvmcore.data.forms.archive import Archive, Header, spooled
from lvmcore.data.forms.articles import facts_in, put, put_about, put_whole
from lvmcore.data.forms.columns import ROLES, Articles, by_role
from lvmcore.data.forms.found import Found, Reading
from lvmcore.data.forms.outline import ABOUT, Outline, Writing
from lvmcore.errors import LvmError
from lvmcore.files import whole_file

CONTEXTS, TARGETS = ("context_sequences", "contexts", "X"), ("target_vectors", "targets", "y")
WINDOWS = {
    "contexts": CONTEXTS,
    "targets": TARGETS,
    "index": ("target_indices", "target_index"),
    **{role: ROLES[role] for role in ("article", "title", "split", "source")},
}
"""Roles of arrays in such a file."""
BLOCK = 1 << 26  # bytes of windows that are looked at at a time
APART = -1
"""A window that does not go on from the one before it."""


def holds_windows(archive: Archive, reading: Reading) -> bool:
    """Whether there are contexts: an `X` is one if it has three dimensions."""
    return any(
        name in archive.entries and (name != "X" or len(archive.header(name).shape) == 3)
        for name in (reading.columns.get("contexts"), *CONTEXTS)
    )


def read(archive: Archive, reading: Reading) -> Found:
    """Read context_sequences (W, C, D), target_vectors (W, D) and, where there are any, article_ids and
    target_indices (W,), and put the windows together that share rows.

    Windows of an article that share none, or rows that are not the same, begin another article.

    Raises:
        LvmError: what is needed is missing, or does not fit.
    """
    where = str(archive.file)
    roles, note = by_role(archive, reading, where, also=[ABOUT], roles=WINDOWS)
    if missing := {"contexts", "targets"} - set(roles):
        raise LvmError(
            f"the file of windows lacks {' and '.join(sorted(missing))}",
            where=where,
            expected="context_sequences (W, C, D) and target_vectors (W, D)",
        )
    held = {role: archive.read(name) for role, name in roles.items()}
    contexts, targets, index = held.pop("contexts"), held.pop("targets"), held.pop("index", None)
    floats = all(np.issubdtype(array.dtype, np.floating) for array in (contexts, targets))
    if not floats or contexts.ndim != 3 or targets.shape != (len(contexts), contexts.shape[2]):
        raise LvmError(
            f"contexts are {contexts.dtype} {contexts.shape}, targets {targets.dtype} {targets.shape}",
            where=where,
            expected="floats (W, C, D) and (W, D)",
        )
    count = len(contexts)
    for role, array in {"article": held.get("article"), "index": index}.items():
        if array is not None and (array.shape != (count,) or (role == "index" and array.dtype.kind not in "iu")):
            raise LvmError(
                f"'{roles[role]}' is {array.dtype} {array.shape} for {count} windows", where=where, expected="one each"
            )
    said = [note] if note else []
    articles = Articles(held, count, attrs.evolve(reading, one_article=True), where)
    titles = articles.titles(held.get("title"), said)
    splits = articles.splits(held["split"], titles, said) if "split" in held else None
    sources = articles.sources(held.get("source"), said)
    if "article" not in held:
        index = None  # each article counts from its own beginning
    windows = _Windows(contexts, targets, articles.number, index)
    of = articles.number[windows.order][windows.steps == APART]  # (P,): which article each piece is of
    said += windows.remarks("article" in held)
    return Found(
        where=where,
        vectors=windows.rows(),
        starts=windows.starts(),
        titles=_piece_titles(titles, of),
        splits=None if splits is None else splits[of],
        sources=tuple(sources[article] for article in of) if sources else (),
        facts=facts_in(archive),
        notes=tuple(said),
    )


class _Windows:
    """Windows in the order of the articles, and how many rows each adds to the one before it."""

    def __init__(self, contexts: np.ndarray, targets: np.ndarray, number: np.ndarray, index: np.ndarray | None) -> None:
        self.contexts, self.targets = contexts, targets
        self.length = contexts.shape[1]
        self.order = np.lexsort((np.arange(len(number)) if index is None else index, number))
        self.steps = np.full(len(number), APART)
        """(W,): rows added, 0 for a window that is there twice; APART where another article begins."""
        self._same = np.zeros(len(number), bool)
        """(W,): whether it is of the article of the one before."""
        self._same[1:] = number[self.order][1:] == number[self.order][:-1]
        self._gap = np.zeros(len(number), bool)
        """(W,): whether the indices say that rows are missing before it."""
        apart = None if index is None else _differences(index[self.order], self.length + 2)
        wide = 0 if contexts.size == 0 else contexts[0].nbytes + targets[0].nbytes
        size = max(1, BLOCK // max(1, wide))
        for begin in range(1, len(number), size):
            end = min(begin + size, len(number))
            self.steps[begin:end] = self._links(begin, end, None if apart is None else apart[begin:end])
        if apart is not None:
            self._gap = self._same & (apart > self.length + 1)

    def _links(self, begin: int, end: int, apart: np.ndarray | None) -> np.ndarray:
        """How far each of some windows lies behind the one before it, where their rows say the same."""
        chosen = self.order[begin - 1 : end]
        rows = np.concatenate([self.contexts[chosen], self.targets[chosen][:, None]], axis=1)  # (n + 1, C + 1, D)
        steps = np.full(end - begin, APART)
        for step in (*range(1, self.length + 1), 0):
            open_ = self._same[begin:end] & (steps == APART)
            if apart is not None:
                open_ &= apart == step
            at = np.flatnonzero(open_)
            agree = (rows[at, step:] == rows[at + 1, : self.length + 1 - step]).all(axis=(1, 2))
            steps[at[agree]] = step
        if apart is not None:  # side by side, without a row that could tell
            steps[self._same[begin:end] & (apart == self.length + 1)] = self.length + 1
        return steps

    @property
    def _added(self) -> np.ndarray:
        return np.where(self.steps == APART, self.length + 1, self.steps)

    def starts(self) -> np.ndarray:
        """(P+1,) int64: the first row of each piece, and N."""
        ends = self._added.cumsum()
        return np.append((ends - self._added)[self.steps == APART], ends[-1:] if len(ends) else 0).astype(np.int64)

    def rows(self) -> np.ndarray:
        """(N, D): every row once."""
        added, dtype = self._added, np.result_type(self.contexts, self.targets)
        width = self.contexts.shape[2]
        header = Header((int(added.sum()), width), dtype, False, 0)
        size = max(1, BLOCK // max(1, (self.length + 1) * width * dtype.itemsize))

        def parts() -> Iterator[np.ndarray]:
            for begin in range(0, len(added), size):
                chosen, adds = self.order[begin : begin + size], added[begin : begin + size]
                rows = np.concatenate([self.contexts[chosen], self.targets[chosen][:, None]], axis=1).astype(dtype)
                last = np.arange(self.length + 1) >= self.length + 1 - adds[:, None]
                yield np.ascontiguousarray(rows[last]).reshape(-1).view(np.uint8)

        return spooled(header, parts())

    def remarks(self, named: bool) -> Iterator[str]:
        """What was made of the windows."""
        pieces = int((self.steps == APART).sum())
        yield (
            f"{len(self.steps):,} windows of {self.length} rows of context were put together to "
            f"{int(self._added.sum()):,} rows in {pieces:,} articles"
        )
        if not named:
            yield "nothing says which article a window is of: those that share no row begin another"
        if twice := int((self.steps == 0).sum()):
            yield f"{twice:,} windows are there twice"
        cut = self._same & (self.steps == APART)
        if gaps := int((cut & self._gap).sum()):
            yield f"articles were cut at {gaps:,} places where rows are missing"
        if (torn := int((cut & ~self._gap).sum())) and named:
            yield f"articles were cut at {torn:,} places where windows share no row, or contradict each other"


def _differences(index: np.ndarray, most: int) -> np.ndarray:
    """How far each of some ascending numbers lies behind the one before it, at most `most`; of any width."""
    step = np.full(len(index), most)
    higher = index[1:] >= index[:-1]
    close = higher & (index[1:] - index[:-1] < most)  # wraps only where it is not higher
    step[1:][close] = (index[1:] - index[:-1])[close]
    return step


def _piece_titles(titles: tuple[str, ...], of: np.ndarray) -> tuple[str, ...]:
    """The title of each piece (P,); the second of an article is `title (2)`."""
    if not titles:
        return ()
    seen: dict[int, int] = {}
    named = []
    for article in of.tolist():
        seen[article] = seen.get(article, 0) + 1
        named.append(titles[article] + (f" ({seen[article]})" if seen[article] > 1 else ""))
    return tuple(named)


def write(corpus: Corpus, file: Path, writing: Writing) -> list[str]:
    """Write every window of every split, as `read` reads them: about C + 1 times the room of the corpus."""
    context = writing.context
    outline = Outline(corpus)
    lengths = outline.lengths
    long = lengths > context
    if not long.any():
        raise LvmError(
            f"no article has a window: the longest holds {lengths.max(initial=0)} chunks",
            where=corpus.where,
            expected=f"articles of at least {context + 1} chunks",
        )
    notes = list(outline.notes)
    if short := int((~long).sum()):
        notes.append(f"{short} articles of fewer than {context + 1} chunks have no window, and were left out")
    if corpus.texts is not None:
        notes.append("a file of windows has no texts")
    rows = np.flatnonzero(outline.within >= context)  # (W,): the target of each window
    row_bytes = corpus.dim * outline.dtype.itemsize
    size = max(1, BLOCK // (context * row_bytes))
    parts = [rows[begin : begin + size] for begin in range(0, len(rows), size)]
    shape = (len(rows), context, corpus.dim)
    room = len(rows) * (context + 1) * row_bytes
    with whole_file(file, room, parents=True) as stream, zipfile.ZipFile(stream, "w") as archive:
        contexts = (_gathered(corpus, part[:, None] + np.arange(-context, 0)) for part in parts)
        put(archive, "context_sequences", shape, outline.dtype, contexts)
        put(archive, "target_vectors", shape[::2], outline.dtype, (_gathered(corpus, part) for part in parts))
        put_whole(archive, "article_ids", outline.number[rows])
        put_whole(archive, "target_indices", outline.within[rows])
        put_about(archive, outline, corpus.info, long)
    return notes


def _gathered(corpus: Corpus, rows: np.ndarray) -> np.ndarray:
    """Rows as they are stored, of any shape of numbers (…) → (…, D)."""
    return corpus.vectors.index_select(0, torch.from_numpy(rows.reshape(-1))).numpy().reshape(*rows.shape, corpus.dim)
