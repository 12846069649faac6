"""Corpora from the NPZ files of older tools. Nothing is unpickled."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lvmcore.data.corpus import Corpus, CorpusInfo, save_corpus
from lvmcore.errors import LvmError

ARCHIVE = "an archive as np.savez writes it"


def import_npz(file: Path, target: Path, about: dict[str, str], *, seed: int = 0, force: bool = False) -> list[str]:
    """Write the corpus that an NPZ file holds, and say what was decided on the way.

    Args:
        file: keys vectors (N, D), article_indices (N,); optionally chunk_indices (N,), splits (A,), titles (A,),
            where A counts the distinct article numbers in ascending order.
        about: name, encoder, licence, source.
        seed: of the splits, where the file has none.

    Raises:
        LvmError: missing keys, lengths that do not fit, pickled arrays, rows that are not finite or zero.
    """
    if target.exists() and not force:
        raise LvmError("the corpus file exists already", where=str(target), fix="--force, or another -o")
    held = _read(file)
    vectors, numbers = _rows(held, file)
    notes: list[str] = []
    order = np.lexsort((held.get("chunk_indices", np.arange(len(numbers))), numbers))
    if (order != np.arange(len(order))).any():
        notes.append("the rows were sorted by article and chunk")
    names, counts = np.unique(numbers, return_counts=True)
    starts = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
    for key in ("splits", "titles"):
        if key in held and held[key].shape != (len(names),):
            raise LvmError(
                f"'{key}' holds {held[key].size} entries for {len(names)} articles",
                where=str(file),
                expected="one entry an article, in the order of their numbers",
            )
    if "splits" in held:
        splits = held["splits"]
        if splits.dtype.kind not in "biu" or not np.isin(splits, (0, 1, 2)).all():
            raise LvmError("'splits' are not split numbers", where=str(file), expected="0 train, 1 val or 2 ood each")
    else:
        splits = _drawn(len(names), seed)
        notes.append(
            f"the file has no splits: 80/10/10 % of the articles were drawn with seed {seed}; the OOD articles are a "
            "random tenth of the same source, so not out of domain"
            if splits.any()
            else f"the file has no splits, and {len(names)} articles are too few to draw any: all of them train"
        )
    if vectors.dtype not in (np.dtype(np.float16), np.dtype(np.float32)):
        with np.errstate(over="ignore"):  # what leaves the range is named as a row that is not finite
            vectors = vectors.astype(np.float32)
        notes.append(f"{held['vectors'].dtype} vectors were stored as float32")
    titles = tuple(t.decode(errors="replace") if isinstance(t, bytes) else str(t) for t in held.get("titles", ()))
    info = CorpusInfo(**about, titles=titles)
    save_corpus(target, vectors[order], starts, splits, info)
    return notes


def wanting(corpus: Corpus) -> Iterator[str]:
    """What a corpus lacks that every run needs. It may be of use all the same, to evaluate on."""
    for split, use in (("train", "training"), ("val", "validation")):
        try:
            corpus.windows(split).require(use)
        except LvmError as problem:
            yield f"no run can use this corpus: {problem.what}; expected: {problem.expected}"


def _read(file: Path) -> dict[str, np.ndarray]:
    wanted = ("vectors", "article_indices", "chunk_indices", "splits", "titles")
    try:
        with file.open("rb") as handle:
            if not zipfile.is_zipfile(handle):
                raise LvmError("the file is no NPZ, or truncated", where=str(file), expected=ARCHIVE)
            handle.seek(0)
            with np.load(handle, allow_pickle=False) as archive:
                found = {key: archive[key] for key in wanted if key in archive.files}
    except ValueError as problem:
        pickled = "pickle" in str(problem) or "Object arrays" in str(problem)
        raise LvmError(
            "the file holds pickled objects, which are not read: they can run any code" if pickled else
            f"the file cannot be read: {problem}",
            where=str(file),
            expected="plain arrays",
            fix="save it again without objects (titles as a text array)" if pickled else None,
        ) from None  # fmt: skip
    except FileNotFoundError:
        raise LvmError("there is no such file", where=str(file), expected=ARCHIVE) from None
    except IsADirectoryError:
        raise LvmError("that is a folder, and no file", where=str(file), expected=ARCHIVE) from None
    except PermissionError as problem:
        raise LvmError(f"the file cannot be read: {problem.strerror}", where=str(file)) from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as problem:
        raise LvmError(f"the file is damaged: {problem}", where=str(file)) from None
    if odd := [key for key, value in found.items() if not isinstance(value, np.ndarray)]:
        raise LvmError(f"'{odd[0]}' is no array", where=str(file), expected=ARCHIVE)
    return found


def _rows(held: dict[str, np.ndarray], file: Path) -> tuple[Any, np.ndarray]:
    if missing := {"vectors", "article_indices"} - set(held):
        raise LvmError(
            f"the file lacks {', '.join(sorted(missing))}",
            where=str(file),
            expected="vectors (N, D) and article_indices (N,)",
        )
    vectors, numbers = held["vectors"], held["article_indices"]
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise LvmError(f"vectors are {vectors.dtype} {vectors.shape}", where=str(file), expected="(N, D) floats")
    for key in ("article_indices", "chunk_indices"):
        if key in held and held[key].shape != (len(vectors),):
            raise LvmError(
                f"'{key}' has shape {held[key].shape} for {len(vectors)} vectors",
                where=str(file),
                expected="one a vector",
            )
    return vectors, numbers


def _drawn(articles: int, seed: int) -> np.ndarray:
    """80 % train, 10 % val, 10 % ood, by article."""
    order = np.random.default_rng(seed).permutation(articles)
    splits = np.zeros(articles, np.uint8)
    tenth = max(1, round(articles / 10)) if articles >= 3 else 0
    splits[order[:tenth]], splits[order[tenth : 2 * tenth]] = 1, 2
    return splits
