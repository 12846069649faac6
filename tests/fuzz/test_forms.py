"""Any bytes at all are a corpus or an error of ours, for every form of vectors, and an error leaves nothing behind.

By default a few hundred inputs each; `LVM_FUZZ=20000 pytest tests/fuzz -s` takes as many as it is told, and each time
others.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from mutation import FUZZ, mutated

from lvmcore.corpora import Corpora
from lvmcore.data.corpus import Corpus
from lvmcore.errors import LvmError, MachineError
from lvmcore.registry import Registry

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

LIMIT = 1 << 26  # bytes unpacked, so that a fuzz stays small
ROWS = np.random.default_rng(0).normal(size=(18, 3)).astype(np.float32)
ARTICLES = {
    "vectors": ROWS,
    "article_indices": np.repeat([3, 5, 9], 6),
    "chunk_indices": np.tile(np.arange(6), 3),
    "titles": np.array(["a", "b", "c"]),
    "splits": np.array([0, 1, 2], np.uint8),
    "concept_texts": np.array([f"text {row}" for row in range(18)]),
    "lvm": np.array('{"encoder": "e"}'),
}
WINDOWS = {
    "context_sequences": np.stack([ROWS[at : at + 2] for at in range(16)]),
    "target_vectors": ROWS[2:],
    "article_ids": np.repeat([0, 1], 8),
    "target_indices": np.arange(2, 18),
    "titles": np.array(["a", "b"]),
}
LINES = [
    {"article": row // 6, "chunk": row % 6, "title": "t", "split": "train", "text": f"text {row}"} for row in range(18)
]
FLAT = b"IxF2" + b"\3\0\0\0" + (18).to_bytes(8, "little") + b"\0" * 16 + b"\1" + b"\1\0\0\0"
FLAT += (54).to_bytes(8, "little") + ROWS.tobytes()


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def zipped(entries: dict[str, bytes], compression: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as made:
        for name, content in entries.items():
            made.writestr(f"{name}.npy", content)
    return stream.getvalue()


def table() -> Any:
    held = {key: [line[key] for line in LINES] for key in LINES[0]}
    return pa.table({**held, "vector": pa.array(list(ROWS), pa.list_(pa.float32()))})


def parquet() -> bytes:
    stream = io.BytesIO()
    pq.write_table(table(), stream, row_group_size=7)
    return stream.getvalue()


def arrows() -> bytes:
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table().schema) as made:
        made.write_table(table())
    return stream.getvalue()


ANY_ARRAY = npst.arrays(
    st.one_of(npst.scalar_dtypes(), st.sampled_from([np.dtype("f4"), np.dtype("i8"), np.dtype("U3")])),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=18),
)


@st.composite
def archives(draw: st.DrawFn, arrays: dict[str, np.ndarray]) -> bytes:
    """An NPZ that is nearly sound: an entry with other bytes, an array of another kind, or a damaged archive."""
    entries = {name: npy(array) for name, array in arrays.items()}
    for name in draw(st.lists(st.sampled_from(sorted(entries)), max_size=3)):
        match draw(st.sampled_from(["bytes", "array", "gone", "name"])):
            case "bytes" if name in entries:
                entries[name] = draw(mutated(entries[name]))
            case "array":
                entries[name] = npy(draw(ANY_ARRAY))
            case "gone":
                entries.pop(name, None)
            case "name":
                entries[draw(st.sampled_from(["X", "y", "contexts", "texts", "odd", "../x"]))] = entries.pop(name, b"")
    made = zipped(entries, draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])))
    return draw(st.one_of(st.just(made), mutated(made)))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.just("train")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Lines that are nearly those of the rows."""
    held = [dict(line) for line in LINES]
    for number in draw(st.lists(st.integers(0, 17), max_size=4)):
        held[number][draw(st.sampled_from(["article", "chunk", "title", "split", "text", "odd"]))] = draw(JSON)
    whole = "\n".join(map(json.dumps, held)).encode()
    return draw(st.one_of(st.just(whole), mutated(whole)))


def one(name: str) -> Callable[[Path, bytes], list[Path]]:
    """Puts bytes into a file of this name."""

    def put(folder: Path, content: bytes) -> list[Path]:
        (folder / name).write_bytes(content)
        return [folder / name]

    return put


def with_lines(name: str) -> Callable[[Path, bytes], list[Path]]:
    """Puts bytes into a file of this name, and sound lines beside it."""

    def put(folder: Path, content: bytes) -> list[Path]:
        (folder / "v.jsonl").write_text("\n".join(map(json.dumps, LINES)))
        return [*one(name)(folder, content), folder / "v.jsonl"]

    return put


def beside_array(folder: Path, content: bytes) -> list[Path]:
    np.save(folder / "v.npy", ROWS)
    return [folder / "v.npy", *one("v.jsonl")(folder, content)]


def in_folder(folder: Path, content: bytes) -> list[Path]:
    (folder / "set").mkdir()
    (folder / "set" / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    one("data.arrow")(folder / "set", content)
    return [folder / "set"]


def described(folder: Path, content: bytes) -> list[Path]:
    in_folder(folder, arrows())
    one("state.json")(folder / "set", content)
    return [folder / "set"]


FORMS: dict[str, tuple[st.SearchStrategy[bytes], Callable[[Path, bytes], list[Path]]]] = {
    "articles": (archives(ARTICLES), one("v.npz")),
    "sequences": (archives(WINDOWS), one("v.npz")),
    "npy": (st.one_of(mutated(npy(ROWS)), ANY_ARRAY.map(npy)), with_lines("v.npy")),
    "jsonl": (lines(), beside_array),
    "faiss": (mutated(FLAT), with_lines("v.faiss")),
    "parquet": (mutated(parquet()), one("v.parquet")),
    "arrow": (mutated(arrows()), in_folder),
    "state": (mutated(b'{"_data_files": [{"filename": "data.arrow"}], "_indices_data_files": null}'), described),
    "bytes": (st.binary(max_size=200), one("v.npz")),
}
SEEN: dict[str, Counter[str]] = {name: Counter() for name in FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_anything_is_a_corpus_or_an_error_of_ours_and_nothing_is_half_written(form: str) -> None:
    content, put = FORMS[form]
    seen = SEEN[form]

    @FUZZ
    @given(content)
    def take(drawn: bytes) -> None:
        folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        try:
            sources = put(folder, drawn)
            before, notes = set(folder.rglob("*")), list[str]()
            lab = Corpora(cast(Registry, None), notes.append)
            try:
                made = lab.import_(sources, folder / "c.safetensors", max_unpacked=LIMIT)
            except MachineError:
                raise
            except LvmError:
                assert set(folder.rglob("*")) == before
                seen["errors"] += 1
            else:
                Corpus.open(folder / "c.safetensors").verify()
                lab.describe(made)
                assert not set("\x1b\x07\x9b") & set("".join((*notes, *made.info.titles, *(made.texts or ()))))
                seen["corpora"] += 1
        finally:
            shutil.rmtree(folder)

    take()
    print(f"{form}: {dict(seen)}")
    assert seen["errors"] > 0
    assert seen["corpora"] > 0 or form == "bytes"
