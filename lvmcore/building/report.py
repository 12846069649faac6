"""What a build has read, and what it has dropped, in counts and in sentences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from typing import Self

import attrs

from lvmcore.building.work import Work
from lvmcore.data.sources.text import clean_title
from lvmcore.errors import LvmError

_NAMED = 3
_SHOWN = 60


@attrs.frozen(kw_only=True)
class Survey:
    """What was read and what of it stays.

    Args:
        files: that were read; articles and chunks of them.
        kept_articles: that stay, and kept_chunks of them.
        dropped: articles, by why: copy, near, within, short.
        boilerplate: chunks that were dropped as boilerplate.
        truncated: chunks that were longer than the encoder reads.
        seconds: that encoding takes about; None where that was not asked for.
        notes: what was left out, in sentences.
    """

    files: int
    articles: int
    chunks: int
    kept_articles: int
    kept_chunks: int
    dropped: dict[str, int]
    boilerplate: int
    notes: tuple[str, ...]
    truncated: int = 0
    seconds: float | None = None

    @classmethod
    def of(cls, work: Work) -> Self:
        """What a working folder holds, after stage 2."""
        dropped = dict(work.db.execute("SELECT dropped, COUNT(*) FROM articles WHERE dropped IS NOT NULL GROUP BY 1"))
        return cls(
            files=work.count("SELECT COUNT(*) FROM files WHERE state = 'read'"),
            articles=work.count("SELECT COUNT(*) FROM articles"),
            chunks=work.count("SELECT COUNT(*) FROM chunks"),
            kept_articles=work.count("SELECT COUNT(*) FROM articles WHERE dropped IS NULL"),
            kept_chunks=work.count("SELECT SUM(kept) FROM articles WHERE dropped IS NULL"),
            dropped=dropped,
            boilerplate=work.count("SELECT SUM(chunks - kept) FROM articles"),
            notes=(*_files(work), *_alike(work, dropped), *_boilerplate(work), *_short(work, dropped)),
        )

    def sentences(self) -> Iterator[str]:
        """What one may not have meant."""
        yield from self.notes
        if self.truncated:
            yield f"{_counted(self.truncated, 'chunk')} longer than the encoder reads, and cut for it"

    def nothing(self, where: str) -> LvmError:
        """The error where no article stays."""
        read = f"{_counted(self.files, 'file')} with {_counted(self.articles, 'article')}"
        return LvmError(
            f"no article stays of {read}: " + ("; ".join(self.notes) or "none has any text"),
            where=where,
            expected="an article of --least chunks, six for a window",
            fix="longer texts, --least 1, or a --chunker that cuts smaller",
        )


def _files(work: Work) -> Iterator[str]:
    names = work.db.execute("SELECT name FROM files WHERE state = 'no reader'")
    suffixes = Counter(PurePath(name).suffix.lower() or "no suffix" for (name,) in names)
    if suffixes:
        kinds = ", ".join(f"{count:,} of {suffix}" for suffix, count in suffixes.most_common(6))
        yield f"{_counted(suffixes.total(), 'file')} without a reader passed over: {kinds}"
    empty = work.count(
        "SELECT COUNT(*) FROM files WHERE state = 'read' AND id NOT IN (SELECT file FROM articles WHERE chunks > 0)"
    )
    if empty:
        yield f"{_counted(empty, 'file')} without text"
    if unread := work.count("SELECT COUNT(*) FROM files WHERE state = 'unread'"):
        rows = work.db.execute("SELECT name, why FROM files WHERE state = 'unread' ORDER BY id LIMIT ?", (_NAMED,))
        named = "; ".join(f"'{name}': {clean_title(why)}" for name, why in rows)
        yield f"{_counted(unread, 'file')} that cannot be read left out: {named}" + "; …" * (unread > _NAMED)


def _alike(work: Work, dropped: dict[str, int]) -> Iterator[str]:
    for why, what, link in (
        ("copy", "the same as an earlier one", "as"),
        ("near", "nearly the same as an earlier one", "as"),
        ("within", "a part of a longer one", "in"),
    ):
        if not (count := dropped.get(why)):
            continue
        title, chunks, other = work.db.execute(
            "SELECT one.title, one.chunks, other.title FROM articles AS one JOIN articles AS other "
            "ON other.id = one.alike WHERE one.dropped = ? ORDER BY one.chunks DESC, one.id LIMIT 1",
            (why,),
        ).fetchone()
        yield (
            f"{_counted(count, 'article')} dropped, {what}; the longest is '{_end(title)}' of "
            f"{_counted(chunks, 'chunk')}, {link} '{_end(other)}'"
        )


def _boilerplate(work: Work) -> Iterator[str]:
    texts = work.count("SELECT COUNT(*) FROM boilerplate")
    if not texts:
        return
    chunks = work.count("SELECT SUM(chunks - kept) FROM articles")
    articles, row = work.db.execute(
        "SELECT articles, first FROM boilerplate ORDER BY articles DESC, first LIMIT 1"
    ).fetchone()
    yield (
        f"{_counted(chunks, 'chunk')} dropped as boilerplate, {_counted(texts, 'text')} that many articles have; the "
        f"most frequent is in {articles:,}: '{_cut(_text(work, row))}'"
    )


def _short(work: Work, dropped: dict[str, int]) -> Iterator[str]:
    if count := dropped.get("short"):
        title, kept = work.db.execute(
            "SELECT title, kept FROM articles WHERE dropped = 'short' ORDER BY kept DESC, id LIMIT 1"
        ).fetchone()
        yield (
            f"{_counted(count, 'article')} dropped, with fewer than {work.get('marked')['chunks']} chunks; the longest "
            f"is '{_end(title)}' of {_counted(kept, 'chunk')}"
        )


def _text(work: Work, row: int) -> str:
    """The text of a chunk, by its number."""
    first, at = work.db.execute(
        "SELECT first, at FROM articles WHERE first <= ? AND chunks > 0 ORDER BY id DESC LIMIT 1", (row,)
    ).fetchone()
    with work.texts.open("rb") as file:
        file.seek(at)
        for _ in range(row - first):
            file.readline()
        return json.loads(file.readline())


def _end(title: str) -> str:
    """Of a long title its end, since many begin with the same folders."""
    title = clean_title(title)
    return title if len(title) <= _SHOWN else "…" + title[1 - _SHOWN :]


def _cut(text: str) -> str:
    text = clean_title(text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
