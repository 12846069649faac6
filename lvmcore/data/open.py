"""What follows `--data`: a corpus file, or an expression that a corpus plugin understands."""

from __future__ import annotations

from pathlib import Path

from lvmcore.data.corpus import Corpus
from lvmcore.data.store.shards import open_manifest, open_pattern
from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.registry import Registry

IMPORTED = {".npz", ".npy", ".parquet", ".faiss"}
"""What `lvm data import` makes corpora of."""


def open_corpus(data: str | Path | Corpus, registry: Registry) -> Corpus:
    """Open a corpus: a path if it exists or ends in .safetensors, else an expression; one that is open is itself.

    A pattern such as `part-*.safetensors` and a manifest, `NAME.json`, open several files as one corpus.

    Raises:
        LvmError: no such file or corpus; a file that must be imported first.
    """
    if isinstance(data, Corpus):
        return data
    text, path = str(data), Path(data).expanduser()
    if not text.strip():
        raise LvmError("no corpus is named", expected="a .safetensors file, or a name", fix="lvm list corpora")
    if path.suffix in IMPORTED and path.exists():
        raise LvmError(
            "a file of vectors must be imported first",
            where=f"--data {text}",
            fix=f"lvm data import {text} -o {path.with_suffix('.safetensors').name}",
        )
    if not path.exists() and set(path.name) & set("*?["):
        return open_pattern(path)
    if path.suffix == ".json":
        return open_manifest(path)
    if path.suffix == ".safetensors" or path.exists():
        return Corpus.open(path)
    if "\\" in text or text.startswith((".", "/", "~")):
        raise LvmError(
            "there is no such corpus file",
            where=f"--data {text}",
            expected="a .safetensors file, or a name",
            fix="lvm list corpora",
        )
    return registry.make("corpus", parse_one(text)).build()
