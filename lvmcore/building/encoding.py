"""Stage 3: the chunks that stay → vectors, in blocks, each of which is on the disk whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from lvmcore.building.progress import Watch
from lvmcore.building.work import Work, machine_faults
from lvmcore.data.sources.text import Encoding, clean_title
from lvmcore.errors import LvmError
from lvmcore.files import write_whole

BLOCK = 4096
"""Chunks encoded at a time: what a kill loses of what was encoded."""


def kept_texts(work: Work) -> Iterator[str]:
    """The text of every chunk that stays, in order."""
    with work.texts.open("rb") as file:
        for first, chunks, at, kept in work.db.execute(
            "SELECT first, chunks, at, kept FROM articles WHERE dropped IS NULL ORDER BY id"
        ):
            out = set(_boilerplate_of(work, first, chunks) if kept < chunks else ())
            file.seek(at)
            for row in range(first, first + chunks):
                line = file.readline()
                if row not in out:
                    yield json.loads(line)


def encode(work: Work, encoding: Encoding, made_by: str, watch: Watch) -> list[Path]:
    """Encode the chunks that stay, but for blocks that have been, and give the blocks: (4096, D) float16 each.

    Args:
        made_by: all that the vectors depend on besides the texts. A block is known by it and by its texts, so that it
            is never taken for other ones.

    Raises:
        LvmError: the encoder gives something that is no direction.
        MachineError: the disk is full.
    """
    watch.begin("encoding", work.count("SELECT SUM(kept) FROM articles WHERE dropped IS NULL"), "chunks")
    paths: list[Path] = []
    done = 0
    texts = kept_texts(work)
    while block := list(islice(texts, BLOCK)):
        watch.at(done)
        digest = hashlib.sha256(json.dumps([made_by, *block]).encode()).hexdigest()
        path = work.blocks / f"{len(paths):08}-{digest[:32]}.npy"
        if not _is_block(path, len(block), encoding.dim):
            before, content = encoding.truncated, io.BytesIO()
            np.save(content, encoded(encoding, block))
            if cut := encoding.truncated - before:
                with machine_faults(work.path):
                    work.put(**{f"truncated {path.name}": cut})
            write_whole(path, content.getvalue(), parents=True)
        paths.append(path)
        done += len(block)
    watch.at(done)
    return paths


def truncated(work: Work, blocks: Iterable[Path]) -> int:
    """How many texts of these blocks were longer than the encoder reads, whichever build encoded them."""
    return sum(work.get(f"truncated {path.name}", 0) for path in blocks)


def encoded(encoding: Encoding, texts: list[str]) -> np.ndarray:
    """The vectors of texts, (B, D) float16.

    Raises:
        LvmError: they are not as many, not as wide, not finite, or zero.
    """
    vectors = encoding.encode(texts)
    if vectors.shape != (len(texts), encoding.dim):
        raise LvmError(
            f"the encoder gave {vectors.shape} for {len(texts)} texts",
            where=encoding.facts.name,
            expected=f"({len(texts)}, {encoding.dim})",
        )
    with np.errstate(over="ignore"):  # what leaves the range is named as not finite
        rows = np.asarray(vectors, np.float16)
    norms = np.linalg.norm(rows.astype(np.float32), axis=1)
    if not (good := np.isfinite(norms) & (norms > 0)).all():
        text = clean_title(texts[int(good.argmin())])
        raise LvmError(
            f"the vector of {int((~good).sum())} of {len(texts)} chunks is not finite, or zero, as that of "
            f"'{text[:60]}{'…' * (len(text) > 60)}'",
            where=encoding.facts.name,
            expected="finite vectors that are not zero",
            fix="--precision fp32, if it was bf16; else another encoder",
        )
    return rows


def _is_block(path: Path, rows: int, dim: int) -> bool:
    try:
        block = np.load(path, mmap_mode="r")
    except (OSError, ValueError):
        return False
    return block.shape == (rows, dim) and block.dtype == np.float16


def _boilerplate_of(work: Work, first: int, chunks: int) -> Iterator[int]:
    found = work.db.execute(
        "SELECT id FROM chunks WHERE id >= ? AND id < ? AND hash IN (SELECT hash FROM boilerplate)",
        (first, first + chunks),
    )
    return (id for (id,) in found)
