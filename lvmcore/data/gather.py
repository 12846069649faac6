"""One corpus of what was found in several places, each article with its source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lvmcore.data.corpus import OF_TEXT, Corpus, CorpusInfo
from lvmcore.data.forms.found import Found
from lvmcore.data.forms.outline import FACTS
from lvmcore.data.splits import Rule
from lvmcore.data.store.texts import texts_file
from lvmcore.data.store.writing import save_corpus
from lvmcore.errors import LvmError
from lvmcore.files import require_absent
from lvmcore.plain import clean_title

KEPT = (np.dtype(np.float16), np.dtype(np.float32))


class StoredRows:
    """The rows of a corpus as they are stored, in one file or in several."""

    def __init__(self, corpus: Corpus) -> None:
        self._vectors = corpus.vectors
        self.shape = tuple(corpus.vectors.shape)
        self.dtype = corpus.vectors[:0].numpy().dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        if isinstance(rows, slice):
            return self._vectors[rows].numpy()
        return self._vectors.index_select(0, torch.from_numpy(rows)).numpy()


def of_corpus(corpus: Corpus) -> Found:
    """A corpus, as if it had been found in a file."""
    info = corpus.info
    return Found(
        where=corpus.where,
        vectors=StoredRows(corpus),
        starts=corpus.starts.numpy(),
        titles=info.titles,
        splits=corpus.splits.numpy(),
        texts=corpus.texts,
        sources=info.sources,
        facts={name: getattr(info, name) for name in FACTS},
    )


def gather(
    found: Sequence[Found],
    target: Path,
    about: Mapping[str, str],
    rule: Rule,
    names: Sequence[str],
    *,
    several_encoders: bool = False,
) -> list[str]:
    """Write what was found as one corpus, and say what was decided on the way.

    Args:
        about: what is said of it; it goes before what the files say of themselves.
        rule: of the splits of those that have none.
        names: of each that was found: the source of its articles, where several make one corpus.
        several_encoders: put their vectors into one corpus.

    Raises:
        LvmError: widths or encoders that differ, rows that are not finite or zero.
    """
    notes = [f"{name}: {note}" if len(found) > 1 else note for each, name in _zip(found, names) for note in each.notes]
    widths = {each.vectors.shape[1]: name for each, name in _zip(found, names)}
    if len(widths) > 1:
        listed = ", ".join(f"{width} in {name}" for width, name in widths.items())
        raise LvmError(f"the vectors are of several widths: {listed}", expected="one width")
    if not sum(map(len, found)):
        raise LvmError("there are no rows", where=", ".join(names))
    facts = _facts(found, about, several_encoders)
    titles = _titles(found, names)
    sources = tuple(chain.from_iterable(each.sources or [name] * each.articles for each, name in _zip(found, names)))
    if len(found) == 1 and not found[0].sources:
        sources = ()
    splits, said = _splits(found, names, titles, sources, rule)
    notes += said
    notes += _twice(found, titles)
    dtype = _dtype(found, notes)
    texts = chain.from_iterable(each.in_order() for each in found)
    if without := [name for each, name in _zip(found, names) if each.texts is None]:
        if len(without) < len(found):
            notes.append(f"the texts were left out, since {', '.join(without)} has none")
        texts = None
    offsets = np.cumsum([0, *map(len, found)])
    parts = [each.starts[:-1] + offset for each, offset in zip(found, offsets, strict=False)]
    starts = np.append(np.concatenate(parts), offsets[-1]).astype(np.int64)
    rows: Iterator[np.ndarray] = chain.from_iterable(each.rows(dtype) for each in found)
    save_corpus(target, rows, starts, splits, CorpusInfo(**facts, titles=titles, sources=sources), texts)
    return notes


def guard(target: Path, sources: Sequence[Path], force: bool) -> None:
    """Whether a corpus may be written there.

    Raises:
        LvmError: it is no name of a corpus, what it would be made from, or there already.
    """
    if target.suffix != ".safetensors":
        raise LvmError(
            f"'{target}' is no name for a corpus" if target.name else "the name of the corpus is empty",
            expected="a name that ends in .safetensors",
            fix=f"-o {target.with_suffix('.safetensors')}" if target.name else "-o FILE.safetensors",
        )
    try:
        str(target.absolute()).encode()
    except UnicodeEncodeError:
        raise LvmError(
            "the name of the corpus is no Unicode, and a file of safetensors opens under no other",
            where=str(target),
            fix="another name with -o",
        ) from None
    for file in (target, texts_file(target)):
        if any(_same(file, source) for source in sources):
            raise LvmError(
                "the corpus would be written over what it is made from", where=str(file), fix="another name with -o"
            )
        if file.is_dir():
            raise LvmError("there is a folder of that name", where=str(file), fix="another name with -o")
        require_absent(file, force, "the corpus file")


def name_of(path: Path) -> str:
    """What a corpus is called after its file, whatever bytes the file's name is of."""
    return clean_title(os.fsencode(path.absolute().stem).decode(errors="replace"))


def called(found: Found, name: str) -> Sequence[str]:
    """What its articles are called, of what is called `name`: by their titles, else by their numbers."""
    return found.titles or [f"{name} {number}" for number in range(found.articles)]


def _same(file: Path, other: Path) -> bool:
    try:
        return file.samefile(other)
    except OSError:
        return False


def _zip(found: Sequence[Found], names: Sequence[str]) -> Iterator[tuple[Found, str]]:
    return zip(found, names, strict=True)


def _facts(found: Sequence[Found], about: Mapping[str, str], several_encoders: bool) -> dict[str, Any]:
    """What is said of the corpus, else what all of the files say of themselves."""
    facts = {}
    for key in FACTS:
        default = getattr(CorpusInfo(name=""), key)
        said = list(dict.fromkeys(each.facts.get(key) or default for each in found))
        if key in ("encoder", "weights") and len(said) > 1 and key not in about and not several_encoders:
            raise LvmError(
                f"the vectors are of several encoders: {', '.join(one or 'unknown' for one in said)}",
                expected="one encoder, since the vectors of two do not lie in one space",
                fix="--force, if you know better",
            )
        joined = " + ".join(said) if key == "encoder" or key in OF_TEXT else ""
        facts[key] = said[0] if len(said) == 1 else joined
    return {**facts, **about}


def _titles(found: Sequence[Found], names: Sequence[str]) -> tuple[str, ...]:
    if not any(each.titles for each in found):
        return ()
    return tuple(chain.from_iterable(called(each, name) for each, name in _zip(found, names)))


def _splits(
    found: Sequence[Found], names: Sequence[str], titles: Sequence[str], sources: Sequence[str], rule: Rule
) -> tuple[np.ndarray, list[str]]:
    """(A,) uint8: as the files have them, else drawn."""
    own_names = titles or [title for each, name in _zip(found, names) for title in called(each, name)]
    has = np.repeat([each.splits is not None for each in found], [each.articles for each in found])
    splits = np.zeros(len(own_names), np.uint8)
    own = [each.splits for each in found if each.splits is not None]
    splits[has] = np.concatenate(own) if own else ()
    if has.all():
        return splits, []
    free = np.flatnonzero(~has)
    division = rule.divide([own_names[int(i)] for i in free], [sources[int(i)] for i in free] if sources else ())
    splits[free] = division.splits
    shares = "/".join(f"{share:g}" for share in rule.shares)
    which = "the file has" if len(found) == 1 else "some files have"
    return splits, [f"{which} no splits: {shares} were drawn by article, with seed {rule.seed}", *division.notes]


def _twice(found: Sequence[Found], titles: Sequence[str]) -> list[str]:
    """A note of titles that several have."""
    if len(found) == 1 or not titles:
        return []
    ends = np.cumsum([each.articles for each in found])
    of: dict[str, set[int]] = {}
    for number, title in enumerate(titles):
        of.setdefault(title, set()).add(int(np.searchsorted(ends, number, "right")))
    shared = [title for title, where in of.items() if len(where) > 1]
    return [f"{len(shared)} titles stand in more than one of them, such as '{shared[0]}'"] if shared else []


def _dtype(found: Sequence[Found], notes: list[str]) -> np.dtype:
    kinds = {each.vectors.dtype.newbyteorder("=") for each in found}
    if len(kinds) == 1 and kinds <= set(KEPT):
        return kinds.pop()
    listed = " and ".join(sorted(str(kind) for kind in {each.vectors.dtype for each in found}))
    notes.append(f"{listed} vectors were stored as float32")
    return np.dtype(np.float32)
