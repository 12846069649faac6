"""Vectors of chunked articles: a memory-mapped file, splits by article."""

from __future__ import annotations

import copy
import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
import safetensors
import torch
from torch import Tensor

from lvmcore.data.indices import Ranges
from lvmcore.data.store.contents import blocks, check_shapes, digest_of, scales_of
from lvmcore.data.store.joined import Joined
from lvmcore.data.store.placed import Here, Placed, placed
from lvmcore.data.store.texts import Texts, texts_file
from lvmcore.data.windows import SPLITS, Windows
from lvmcore.errors import LvmError
from lvmcore.records import checked, open_regular, parse_json

FORM = "a safetensors file as written by lvm data import"
SCHEMA = 2
"""Of the file: 1 has no scales."""
_ARRAYS = ("vectors", "starts", "splits", "scales", "text_offsets")


@attrs.frozen(kw_only=True)
class CorpusInfo:
    """Where a corpus comes from; the JSON in its header."""

    name: str
    encoder: str = "unknown"
    revision: str = ""
    """Of the encoder."""
    weights: str = ""
    """`sha256:` of the encoder's weights."""
    encoder_term: str = ""
    """The expression that builds the encoder again; none where nothing does."""
    chunking: str = "unknown"
    licence: str = "unknown"
    source: str = "unknown"
    titles: tuple[str, ...] = ()
    """One an article, or none at all."""
    sources: tuple[str, ...] = ()
    """Where each article comes from, or none at all."""
    digest: str = ""
    """Of vectors, starts and splits."""
    texts_digest: str = ""
    """Of the file with the texts; none where there is none."""


OF_ENCODER = ("encoder", "revision", "weights", "encoder_term")
"""Facts that must be one and the same for rows to lie in one space."""
OF_TEXT = ("chunking", "licence", "source")
"""Facts of the text, of which there may be several."""


class Corpus:
    """Unit vectors of consecutive chunks, article by article.

    Args:
        vectors: (N, D) float16 or float32, in the order of the text. Not changed; unit norm is applied on reading.
        starts: (A+1,) int64, the first row of each article, and N.
        splits: (A,) uint8, 0 train, 1 val, 2 ood.
        where: the file, for errors.
        scales: (N,) float32, 1 / norm of each row, as measured when the file was written: rows and digest are
            trusted, and no row is read before it is asked for. Without them every row is looked at.
        texts: of the rows.

    Raises:
        LvmError: shapes that do not fit, rows that are not finite or of norm 0.
    """

    def __init__(
        self,
        vectors: Tensor | Joined,
        starts: Tensor,
        splits: Tensor,
        info: CorpusInfo,
        where: str = "",
        *,
        scales: Tensor | Joined | None = None,
        texts: Texts | None = None,
    ) -> None:
        self.vectors, self.starts, self.splits, self.info, self.texts = vectors, starts, splits, info, texts
        self.where = where or f"corpus '{info.name}'"
        check_shapes(tuple(vectors.shape), vectors.dtype, starts, splits, self.where)
        if scales is not None and (scales.dtype != torch.float32 or tuple(scales.shape) != (len(self),)):
            raise LvmError(
                f"scales are {scales.dtype} {tuple(scales.shape)}", where=self.where, expected=f"float32 ({len(self)},)"
            )
        if texts is not None and len(texts) != len(self):
            raise LvmError(f"there are {len(texts)} texts for {len(self)} rows", where=self.where)
        self._trusted = scales is not None
        self.scales = self._measured() if scales is None else scales
        self.placed: Placed = Here(self.vectors, self.scales)

    @classmethod
    def open(cls, path: str | Path) -> Corpus:
        """Memory-map a corpus file.

        Raises:
            LvmError: missing, not readable, truncated, or no corpus.
        """
        path = Path(path)
        try:
            open_regular(path).close()  # which says why it can't be read; safetensors doesn't
            with safetensors.safe_open(str(path), framework="pt") as file:
                metadata = file.metadata() or {}
                held = {key: file.get_tensor(key) for key in file.keys() if key in _ARRAYS}  # noqa: SIM118
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
        info = _read_info(metadata, path)
        if not info.digest:  # who wrote it measured nothing, whatever else is there
            held.pop("scales", None)
        offsets = held.pop("text_offsets", None)
        if offsets is not None and (offsets.dtype != torch.int64 or offsets.ndim != 1 or not len(offsets)):
            raise LvmError(
                f"text_offsets are {offsets.dtype} {tuple(offsets.shape)}", where=str(path), expected="int64 (N + 1,)"
            )
        texts = None if offsets is None else Texts(texts_file(path), offsets)
        corpus = cls(info=info, where=str(path), texts=texts, **held)
        check_names(info, len(corpus.splits), str(path))
        return corpus

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that it lies in, its texts' among them."""
        return (Path(self.where), *([self.texts.path] if self.texts is not None else []))

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    @property
    def device(self) -> torch.device:
        """That its rows are given on. All else, numbers of rows and windows among it, is on the processor."""
        return self.placed.device

    def on(self, device: torch.device | str, room: int | None = None) -> Corpus:
        """The same corpus with its rows on another device.

        Args:
            room: bytes that rows may take there, by default half of what is free; where they don't fit, each batch
                is gathered on the processor and sent.
        """
        other = copy.copy(self)
        other.placed = placed(self.vectors, self.scales, torch.device(device), room)
        return other

    @property
    def facts(self) -> dict[str, Any]:
        """What whoever trains on it keeps of it: which vectors, of which text, by which encoder."""
        own = {"name": self.info.name, "digest": self.digest, "dim": self.dim, "rows": len(self)}
        told = {key: getattr(self.info, key) for key in (*OF_ENCODER, *OF_TEXT)}
        return own | {key: said for key, said in told.items() if said not in ("", "unknown")}

    def __len__(self) -> int:
        return self.vectors.shape[0]

    @cached_property
    def digest(self) -> str:
        """sha256 of the contents: the vectors, the starts and the splits, but not the texts about them.

        A file's is taken from its header, if the file was written with one and with the norms of its rows.

        Raises:
            LvmError: the header says another, so that the contents are not what they are said to be.
        """
        return self.info.digest if self._trusted and self.info.digest else self._digest()

    def verify(self) -> str:
        """Read all of it, see that it is what its header says, and give its digest.

        Raises:
            LvmError: contents, norms or texts that are not those that were written; rows that are no directions.
        """
        digest = self._digest()
        for begin, end in blocks(len(self)):
            own = scales_of(self.vectors[begin:end], begin, self.starts, self.info.titles, self.where)
            if not torch.allclose(own, self.scales[begin:end], rtol=1e-5, atol=0):
                raise self._tampered("the scales are not those of the rows", f"1 / norm, in rows {begin} to {end - 1}")
        if self.texts is not None:
            state = hashlib.sha256()
            for line in self.texts.lines():
                state.update(line)
            if (found := f"sha256:{state.hexdigest()}") != self.info.texts_digest:
                raise self._tampered("the texts do not match their digest", f"{self.info.texts_digest}, not {found}")
        return digest

    @cached_property
    def article_of(self) -> ArticleOf:
        """`[rows]` → the article of each of these rows, of any shape, int64."""
        return ArticleOf(self.starts)

    def rows_of(self, split: str) -> Ranges:
        """The numbers of all rows of a split, in their order."""
        return self._ranges(split, 0)

    def rows(self, index: Tensor) -> Tensor:
        """Unit vectors of any index shape: (…) → (…, D) float32, on the corpus's device.

        One gather, of whole rows, which is the fast one. The index is one on the processor.
        """
        return self.placed(index.flatten()).view(*index.shape, self.dim)

    def windows(self, split: str, context: int = 5) -> Windows:
        """All windows of a split, in the order of the articles."""
        return Windows(self, split, self._ranges(split, context), context)

    def _ranges(self, split: str, skipped: int) -> Ranges:
        """The rows of a split's articles, but for the first of each."""
        wanted = self.splits == SPLITS.index(split)
        return Ranges(self.starts[:-1][wanted] + skipped, self.starts.diff()[wanted] - skipped)

    def _measured(self) -> Tensor:
        parts = [
            scales_of(self.vectors[begin:end], begin, self.starts, self.info.titles, self.where)
            for begin, end in blocks(len(self))
        ]
        return torch.cat(parts) if parts else torch.empty(0)

    def _digest(self) -> str:
        digest = digest_of(self.vectors, self.starts.numpy(), self.splits.numpy())
        if self.info.digest not in ("", digest):
            raise self._tampered(
                "the contents do not match the digest in the header", f"{self.info.digest}, not {digest}"
            )
        return digest

    def _tampered(self, what: str, expected: str) -> LvmError:
        return LvmError(what, where=self.where, expected=expected, fix="build or import the corpus again")


@attrs.frozen(eq=False)
class ArticleOf:
    """Looks rows up among the first rows of the articles: nothing is held for a row."""

    starts: Tensor

    def __getitem__(self, rows: Tensor | int) -> Tensor:
        return torch.searchsorted(self.starts, rows, right=True) - 1


def check_names(info: CorpusInfo, articles: int, where: str) -> None:
    """Whether titles and sources are one an article, or none.

    Raises:
        LvmError: another number of them.
    """
    for name, held in (("titles", info.titles), ("sources", info.sources)):
        if len(held) not in (0, articles):
            raise LvmError(
                f"the header names {len(held)} {name} for {articles} articles", where=where, expected="one an article"
            )


def _read_info(metadata: dict[str, str], path: Path) -> CorpusInfo:
    what = "the header of the corpus cannot be read"
    try:
        held = parse_json(metadata.get("lvm", "{}"))
    except ValueError as problem:
        raise LvmError(f"{what}: {problem}", where=str(path)) from None
    names: dict[str, tuple[str, ...]] = {}
    if isinstance(held, dict):
        for key in ("titles", "sources"):  # of which there may be millions
            if not isinstance(given := held.pop(key, ()), list | tuple) or not all(isinstance(n, str) for n in given):
                raise LvmError(f"{what}: {key} are no list of texts", where=str(path))
            names[key] = tuple(given)
        held = {"name": path.stem} | held
    return attrs.evolve(checked(held, CorpusInfo, str(path), what), **names)
