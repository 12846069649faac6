"""Stage 2: what is dropped before splits are drawn, since a duplicate across splits is a leak."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import attrs

from lvmcore.building.sketch import alike, bands
from lvmcore.building.work import Work, machine_faults

NEAR = 0.8
"""The share of text that two articles have in common from which on the later one is a near-duplicate."""
WITHIN = 0.8
"""The share of an article's chunks that stand in another from which on it is a part of that."""
_MODELS = 8
"""Articles of a band that the others of it are compared with."""


@attrs.frozen(kw_only=True)
class Least:
    """What an article must be to stay.

    Args:
        chunks: that it has at least.
        boilerplate: a text that stands in so many articles is no part of any; 0 for none.
        duplicates: copies, near-duplicates and boilerplate stay.
    """

    chunks: int = 6
    boilerplate: int = 3
    duplicates: bool = False


def mark(work: Work, least: Least) -> None:
    """Say of every article whether it stays, and which texts are boilerplate; at once or not at all.

    Copies go first, then near-duplicates, each of an earlier article that stays, and articles that are a part of a
    longer one; then what is boilerplate in those that stay; then articles that are too short without it.
    """
    asked = attrs.asdict(least)
    if work.get("marked") == asked:
        return
    with machine_faults(work.path), work.transaction():
        work.db.execute("UPDATE articles SET dropped = NULL, alike = NULL, kept = chunks")
        work.db.execute("DELETE FROM boilerplate")
        if not least.duplicates:
            _copies(work)
            _near(work)
            _within(work)
            if least.boilerplate:
                _boilerplate(work, least.boilerplate)
        work.db.execute("UPDATE articles SET dropped = 'short' WHERE dropped IS NULL AND kept < ?", (least.chunks,))
        work.put(marked=asked)


def _copies(work: Work) -> None:
    work.db.execute(
        "UPDATE articles SET dropped = 'copy', alike = same.first FROM ("
        "  SELECT MIN(id) AS first, digest FROM articles WHERE chunks > 0 GROUP BY digest HAVING COUNT(*) > 1"
        ") AS same WHERE articles.digest = same.digest AND articles.id > same.first"
    )


def _near(work: Work) -> None:
    """By way of tables of the database, so that there may be any number of articles."""
    db = work.db
    db.execute("CREATE TEMP TABLE IF NOT EXISTS bands (hash INTEGER, article INTEGER)")
    db.execute("CREATE TEMP TABLE IF NOT EXISTS pairs (later INTEGER, earlier INTEGER)")
    db.execute("DELETE FROM bands")
    db.execute("DELETE FROM pairs")
    articles = db.execute("SELECT id, sketch FROM articles WHERE dropped IS NULL AND chunks > 0")
    db.executemany("INSERT INTO bands VALUES (?, ?)", ((band, id) for id, sketch in articles for band in bands(sketch)))
    in_order = db.execute("SELECT hash, article FROM bands ORDER BY hash, article")
    groups = ([article for _, article in together] for _, together in groupby(in_order, key=lambda row: row[0]))
    found = (pair for together in groups if len(together) > 1 for pair in _pairs(work, together))
    db.executemany("INSERT INTO pairs VALUES (?, ?)", found)
    settled = db.execute("SELECT DISTINCT later, earlier FROM pairs ORDER BY later, earlier")
    for later, earlier in settled.fetchall():
        gone = db.execute("SELECT COUNT(dropped) FROM articles WHERE id IN (?, ?)", (later, earlier)).fetchone()[0]
        if not gone:
            db.execute("UPDATE articles SET dropped = 'near', alike = ? WHERE id = ?", (earlier, later))


def _pairs(work: Work, together: list[int]) -> Iterator[tuple[int, int]]:
    """Pairs (later, earlier) of articles that are alike, among those that have a band in common."""
    models: list[tuple[int, bytes]] = []
    for article in together:
        (sketch,) = work.db.execute("SELECT sketch FROM articles WHERE id = ?", (article,)).fetchone()
        model = next((id for id, own in models if alike(own, sketch) >= NEAR), None)
        if model is not None:
            yield article, model
        elif len(models) < _MODELS:
            models.append((article, sketch))


def _within(work: Work) -> None:
    """Articles most of whose chunks stand in a longer one. What many have shows nothing, and is passed over."""
    db = work.db
    db.execute("CREATE TEMP TABLE IF NOT EXISTS shared (hash INTEGER, article INTEGER)")
    db.execute("CREATE INDEX IF NOT EXISTS shared_by ON shared (hash)")
    db.execute("DELETE FROM shared")
    db.execute(
        "WITH staying AS ("
        "  SELECT DISTINCT hash, article FROM chunks JOIN articles ON articles.id = article WHERE dropped IS NULL"
        ") INSERT INTO shared SELECT hash, article FROM staying WHERE hash IN ("
        "  SELECT hash FROM staying GROUP BY hash HAVING COUNT(*) BETWEEN 2 AND ?) ORDER BY hash",
        (_MODELS,),
    )
    db.execute(
        "WITH common AS ("
        "  SELECT one.article AS id, other.article AS whole, COUNT(*) AS chunks FROM shared AS one"
        "  JOIN shared AS other ON one.hash = other.hash AND one.article != other.article GROUP BY 1, 2"
        "), parts AS ("
        "  SELECT own.id AS id, MIN(longer.id) AS whole FROM common JOIN articles AS own ON own.id = common.id"
        "  JOIN articles AS longer ON longer.id = common.whole WHERE common.chunks >= ? * own.chunks"
        "  AND (longer.chunks, -longer.id) > (own.chunks, -own.id) GROUP BY 1"
        ") UPDATE articles SET dropped = 'within', alike = whole FROM parts WHERE articles.id = parts.id",
        (WITHIN,),
    )


def _boilerplate(work: Work, articles: int) -> None:
    work.db.execute(
        "INSERT INTO boilerplate SELECT hash, COUNT(DISTINCT article) AS articles, MIN(chunks.id) FROM chunks "
        "JOIN articles ON articles.id = article WHERE dropped IS NULL GROUP BY hash HAVING articles >= ?",
        (articles,),
    )
    work.db.execute(
        "UPDATE articles SET kept = chunks - (SELECT COUNT(*) FROM chunks WHERE chunks.id >= first "
        "AND chunks.id < first + articles.chunks AND hash IN (SELECT hash FROM boilerplate)) WHERE dropped IS NULL"
    )
