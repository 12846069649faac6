"""Several corpus files as one corpus, whose articles stay in one file each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import attrs
import torch

from lvmcore.data.corpus import OF_ENCODER, OF_TEXT, Corpus, CorpusInfo
from lvmcore.data.store.joined import Joined, JoinedTexts
from lvmcore.data.store.texts import Texts
from lvmcore.errors import LvmError
from lvmcore.files import require_absent, to_json, write_whole
from lvmcore.plain import clean_title
from lvmcore.records import checked, read_json

FORM = 'a manifest: {"schema": 1, "kind": "corpus", "shards": [{"file": "…", "digest": "sha256:…"}, …]}'

MOST = 1 << 26
"""Bytes of a manifest at most."""


class Shards(Corpus):
    """One corpus of several, article after article in their order.

    Its digest is that of the text `shards` and the shards' digests in their order, each with a newline.

    Raises:
        LvmError: widths, types or encoders that differ.
    """

    def __init__(self, name: str, parts: Sequence[Corpus], where: str) -> None:
        self.parts = tuple(parts)
        first, *others = self.parts
        for other in others:
            if (other.dim, other.vectors.dtype) != (first.dim, first.vectors.dtype):
                raise LvmError(
                    f"rows of {other.vectors.dtype}, {other.dim} wide, stand beside rows of {first.vectors.dtype}, "
                    f"{first.dim} wide, of {first.where}",
                    where=other.where,
                    expected="one width and one type",
                )
            if differing := [key for key in OF_ENCODER if getattr(other.info, key) != getattr(first.info, key)]:
                raise LvmError(
                    f"the {differing[0]} is '{clean_title(getattr(other.info, differing[0]))}', and "
                    f"'{clean_title(getattr(first.info, differing[0]))}' in {first.where}",
                    where=other.where,
                    expected="shards of one encoder",
                )
        ends = torch.tensor([len(part) for part in self.parts]).cumsum(0)
        starts = [part.starts[1:] + end - len(part) for part, end in zip(self.parts, ends.tolist(), strict=True)]
        super().__init__(
            Joined([part.vectors for part in self.parts]),
            torch.cat([torch.zeros(1, dtype=torch.int64), *starts]),
            torch.cat([part.splits for part in self.parts]),
            _info(name, self.parts),
            where,
            scales=Joined([part.scales for part in self.parts]),
            texts=_texts([part.texts for part in self.parts]),
        )

    @property
    def files(self) -> tuple[Path, ...]:
        return (Path(self.where), *(file for part in self.parts for file in part.files))

    @cached_property
    def digest(self) -> str:
        return _digest(part.digest for part in self.parts)

    def verify(self) -> str:
        return _digest(part.verify() for part in self.parts)


def open_pattern(pattern: Path) -> Corpus:
    """The files whose names match a pattern, in the order of their names.

    Raises:
        LvmError: there are none, or they do not fit together.
    """
    files = sorted(pattern.parent.glob(pattern.name))
    if not files:
        raise LvmError("no file matches the pattern", where=f"--data {pattern}", expected="corpus files")
    name = pattern.name.removesuffix(".safetensors").rstrip("*?[]-_.") or pattern.parent.name
    return Shards(name, [Corpus.open(file) for file in files], str(pattern))


def open_manifest(path: Path) -> Corpus:
    """The files that a manifest names, each with the digest that it must have.

    Raises:
        LvmError: no manifest; a shard that is missing, or another than the one that was meant.
    """
    try:
        held = checked(read_json(path, MOST), _Manifest, str(path), "wrong types")
    except LvmError as problem:
        said = f"the file is no manifest of shards: {problem.what}"
        raise LvmError(said, where=str(path), expected=FORM) from None
    if not held.shards:
        raise LvmError("the manifest names no shard", where=str(path), expected=FORM)
    parts = []
    for shard in held.shards:
        file, folder = path.parent / shard.file, path.resolve().parent
        if not file.resolve().is_relative_to(folder):
            raise LvmError(
                f"the manifest names a file that lies elsewhere: {shard.file}",
                where=str(path),
                expected=f"a file below {folder}",
            )
        parts.append(part := Corpus.open(file))
        if part.digest != shard.digest:
            raise LvmError(
                "the shard is another than the one in the manifest",
                where=part.where,
                expected=f"{shard.digest}, not {part.digest}",
                fix=f"write {path.name} again, if it is meant",
            )
    return Shards(held.name or path.stem, parts, str(path))


@attrs.frozen
class _Shard:
    file: str
    digest: str


@attrs.frozen
class _Manifest:
    shards: tuple[_Shard, ...]
    name: str = ""


def save_manifest(path: Path, files: Sequence[Path], *, force: bool = False) -> str:
    """Write the manifest of corpus files in the same folder as it, or below, and give the digest of all together.

    Raises:
        LvmError: files that do not fit together, or lie elsewhere; the manifest is there already.
    """
    if not files or path.suffix != ".json":
        raise LvmError("a manifest is a .json file that names shards", where=str(path), expected="NAME.json, and files")
    require_absent(path, force)
    parts = [Corpus.open(file) for file in files]
    whole = Shards(path.stem, parts, str(path))
    shards = []
    for file, part in zip(files, parts, strict=True):
        if not file.resolve().is_relative_to(folder := path.resolve().parent):
            raise LvmError("the shard lies elsewhere", where=str(file), expected=f"a file below {folder}")
        shards.append({"file": file.resolve().relative_to(folder).as_posix(), "digest": part.digest, "rows": len(part)})
    write_whole(path, to_json({"schema": 1, "kind": "corpus", "name": path.stem, "shards": shards}), parents=True)
    return whole.digest


def _texts(held: Sequence[Texts | None]) -> JoinedTexts | None:
    """Those of all shards, if every one has some."""
    there = [texts for texts in held if texts is not None]
    return JoinedTexts(there) if len(there) == len(held) else None


def _info(name: str, parts: Sequence[Corpus]) -> CorpusInfo:
    """What holds of all shards; titles and sources only if every one has them."""
    infos = [part.info for part in parts]
    joined = {key: "; ".join(dict.fromkeys(getattr(info, key) for info in infos)) for key in OF_TEXT}
    names = {
        key: tuple(one for info in infos for one in getattr(info, key)) if all(getattr(i, key) for i in infos) else ()
        for key in ("titles", "sources")
    }
    return attrs.evolve(infos[0], name=name, digest="", texts_digest="", **joined, **names)


def _digest(digests: Iterable[str]) -> str:
    said = "".join(f"{one}\n" for one in ("shards", *digests))
    return f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"
