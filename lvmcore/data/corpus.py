"""Vectors of chunked articles: a memory-mapped file, splits by article."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import safetensors
import safetensors.numpy
import torch
from torch import Tensor

from lvmcore.data.windows import SPLITS, Windows
from lvmcore.errors import LvmError
from lvmcore.files import write_whole

FORM = "a safetensors file as written by lvm data import"
_SCAN = 1 << 16  # rows checked at a time, so that a check of a large corpus stays small


@attrs.frozen(kw_only=True)
class CorpusInfo:
    """Where a corpus comes from; the JSON in its header."""

    name: str
    encoder: str = "unknown"
    chunking: str = "unknown"
    licence: str = "unknown"
    source: str = "unknown"
    titles: tuple[str, ...] = ()
    digest: str = ""


class Corpus:
    """Unit vectors of consecutive chunks, article by article.

    Args:
        vectors: (N, D) float16 or float32, in the order of the text. Not changed; unit norm is applied on reading.
        starts: (A+1,) int64, the first row of each article, and N.
        splits: (A,) uint8, 0 train, 1 val, 2 ood.
        where: the file, for errors.

    Raises:
        LvmError: shapes that do not fit, rows that are not finite or of norm 0.
    """

    def __init__(self, vectors: Tensor, starts: Tensor, splits: Tensor, info: CorpusInfo, where: str = "") -> None:
        self.vectors, self.starts, self.splits, self.info = vectors, starts, splits, info
        self.where = where or f"corpus '{info.name}'"
        self._check_shapes()
        self._scale = self._check_rows()

    @classmethod
    def open(cls, path: Path) -> Corpus:
        """Memory-map a corpus file.

        Raises:
            LvmError: missing, not readable, truncated, or no corpus.
        """
        try:
            path.open("rb").close()  # which says why it can't be read; safetensors doesn't
            with safetensors.safe_open(str(path), framework="pt") as file:
                metadata = file.metadata() or {}
                held = {key: file.get_tensor(key) for key in file.keys() if key in ("vectors", "starts", "splits")}  # noqa: SIM118
        except FileNotFoundError:
            raise LvmError(
                "there is no such corpus", where=str(path), fix="lvm list corpora, or lvm data import"
            ) from None
        except OSError as problem:
            raise LvmError(
                f"the corpus cannot be read: {problem.strerror or problem}", where=str(path), expected=FORM
            ) from None
        except safetensors.SafetensorError as problem:
            raise LvmError(
                f"the corpus cannot be read; it may be truncated: {problem}",
                where=str(path),
                expected=FORM,
            ) from None
        if missing := {"vectors", "starts", "splits"} - set(held):
            raise LvmError(
                f"the file is no corpus: it lacks {', '.join(sorted(missing))}",
                where=str(path),
                expected="the tensors vectors, starts and splits",
                fix=f"lvm show {path}",
            )
        return cls(held["vectors"], held["starts"], held["splits"], _read_info(metadata, path), str(path))

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def __len__(self) -> int:
        return self.vectors.shape[0]

    @cached_property
    def digest(self) -> str:
        """sha256 of the contents: the vectors, the starts and the splits, but not the texts about them.

        Raises:
            LvmError: the header says another, so that the contents are not what they are said to be.
        """
        digest = digest_of(self.vectors.numpy(), self.starts.numpy(), self.splits.numpy())
        if self.info.digest not in ("", digest):
            raise LvmError(
                "the contents do not match the digest in the header",
                where=self.where,
                expected=f"{self.info.digest}, not {digest}",
                fix="import the corpus again",
            )
        return digest

    @cached_property
    def article_of(self) -> Tensor:
        """(N,) int64: the article of each row."""
        return torch.repeat_interleave(torch.arange(len(self.splits)), self.starts.diff())

    def rows(self, index: Tensor) -> Tensor:
        """Unit vectors of any index shape: (…) → (…, D) float32. One gather, of whole rows, which is the fast one."""
        flat = index.flatten()
        rows = self.vectors.index_select(0, flat).float().mul_(self._scale.index_select(0, flat)[:, None])
        return rows.view(*index.shape, self.dim)

    def windows(self, split: str, context: int = 5) -> Windows:
        """All windows of a split, in the order of the articles."""
        lengths = self.starts.diff()
        row = torch.arange(len(self))
        begins = self.starts[:-1].repeat_interleave(lengths)
        wanted = (self.splits == SPLITS.index(split)).repeat_interleave(lengths)
        return Windows(self, split, row[wanted & (row - begins >= context)], context)

    def _check_shapes(self) -> None:
        faults = []
        if self.vectors.ndim != 2 or self.vectors.dtype not in (torch.float16, torch.float32):
            faults.append(
                f"vectors are {self.vectors.dtype} {tuple(self.vectors.shape)}, not (N, D) float16 or float32"
            )
        if self.starts.dtype != torch.int64 or self.splits.dtype != torch.uint8:
            faults.append(f"starts are {self.starts.dtype} and splits {self.splits.dtype}, not int64 and uint8")
        if self.starts.ndim != 1 or self.splits.ndim != 1 or len(self.starts) != len(self.splits) + 1:
            faults.append(
                f"starts {tuple(self.starts.shape)} do not fit splits {tuple(self.splits.shape)} (one more is needed)"
            )
        elif self.vectors.ndim == 0:
            faults.append("there are no rows")
        elif (
            len(self.splits) == 0
            or self.starts[0] != 0
            or self.starts[-1] != len(self)
            or (self.starts.diff() < 0).any()
        ):
            faults.append(f"starts do not rise from 0 to the number of rows, {len(self)}")
        elif (self.splits > 2).any():
            faults.append("splits hold numbers other than 0 (train), 1 (val) and 2 (ood)")
        if faults:
            raise LvmError("the corpus is malformed: " + "; ".join(faults), where=self.where)

    def _check_rows(self) -> Tensor:
        """1 / norm of every row (N,), so that reading is one product."""
        scale = torch.empty(len(self), dtype=torch.float32)
        for start in range(0, len(self), _SCAN):
            norms = self.vectors[start : start + _SCAN].float().norm(dim=1)
            bad = ~(norms.isfinite() & (norms > 0))
            if bad.any():
                row = start + int(bad.nonzero()[0])
                article = int(torch.searchsorted(self.starts, row, right=True)) - 1
                what = "is zero" if norms[row - start] == 0 else "is not finite"
                title = f" ('{self.info.titles[article]}')" if article < len(self.info.titles) else ""
                raise LvmError(
                    f"row {row} {what}, chunk {row - int(self.starts[article])} of article {article}{title}; "
                    f"{int(bad.sum())} such rows in this block",
                    where=self.where,
                    expected="finite vectors that are not zero",
                    fix="drop or encode again the chunks at fault, then import again",
                )
            scale[start : start + _SCAN] = 1 / norms
        return scale


def save_corpus(path: Path, vectors: np.ndarray, starts: np.ndarray, splits: np.ndarray, info: CorpusInfo) -> str:
    """Write a corpus file, whole or not at all, and give its digest."""
    arrays = {
        "vectors": np.ascontiguousarray(vectors),
        "starts": _whole("starts", starts, np.int64),
        "splits": _whole("splits", splits, np.uint8),
    }
    info = attrs.evolve(info, digest=digest_of(**arrays))
    vectors_, starts_, splits_ = (torch.from_numpy(array) for array in arrays.values())
    Corpus(vectors_, starts_, splits_, info, f"the corpus to be written to {path}")  # checks it
    metadata = json.dumps({"schema": 1, "kind": "corpus", **attrs.asdict(info)}, ensure_ascii=False)
    write_whole(path, safetensors.numpy.save(arrays, metadata={"lvm": metadata}))
    return info.digest


def _whole(name: str, values: np.ndarray, kind: type[np.integer[Any]]) -> np.ndarray:
    """The same whole numbers in another type, whose range they must keep: 256 is not split 0."""
    values, room = np.asarray(values), np.iinfo(kind)
    if values.dtype.kind not in "biu" or (values.size and not room.min <= values.min() <= values.max() <= room.max):
        raise LvmError(
            f"{name} are {values.dtype}, or out of range", expected=f"whole numbers from {room.min} to {room.max}"
        )
    return values.astype(kind)


def digest_of(vectors: np.ndarray, starts: np.ndarray, splits: np.ndarray) -> str:
    """sha256 over name, type, shape and bytes of the three arrays."""
    state = hashlib.sha256()
    for name, array in (("vectors", vectors), ("starts", starts), ("splits", splits)):
        state.update(f"{name} {array.dtype} {'x'.join(map(str, array.shape))}\n".encode())
        state.update(np.ascontiguousarray(array).data)
    return f"sha256:{state.hexdigest()}"


def _read_info(metadata: dict[str, str], path: Path) -> CorpusInfo:
    try:
        held: dict[str, Any] = json.loads(metadata.get("lvm", "{}"))
        known = {field.name for field in attrs.fields(CorpusInfo)}
        info = {key: value for key, value in held.items() if key in known}
        return CorpusInfo(**{"name": path.stem, **info, "titles": tuple(info.get("titles", ()))})
    except (ValueError, TypeError, AttributeError) as problem:
        raise LvmError(f"the header of the corpus cannot be read: {problem}", where=str(path)) from None
