"""Tables with a row a chunk and the vectors in a column of lists: Parquet files, and `datasets` folders on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from lvmcore.data.corpus import Corpus
from lvmcore.data.forms.archive import Header, spooled
from lvmcore.data.forms.columns import articles_of, by_role, text_of
from lvmcore.data.forms.found import Found, Reading, reading_of
from lvmcore.data.forms.outline import ABOUT, Outline, Writing, about, facts_of
from lvmcore.data.store.contents import blocks
from lvmcore.data.windows import SPLITS
from lvmcore.errors import LvmError
from lvmcore.files import whole_file
from lvmcore.requirements import needs

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "a folder as Dataset.save_to_disk or DatasetDict.save_to_disk writes it"
BATCH = 1 << 14  # rows

Batches = Callable[[Sequence[str]], "Iterator[pa.RecordBatch]"]


@attrs.frozen
class Table:
    """Some columns of a table, a batch of rows at a time."""

    file: Path
    schema: pa.Schema
    rows: int
    size: int
    """Bytes on the disk."""
    batches: Batches
    split: str = ""
    """That of all rows, where the folder says one."""


def arrow() -> Any:
    """pyarrow.

    Raises:
        LvmError: it is not installed.
    """
    needs("pyarrow.parquet", "parquet")
    return needs("pyarrow", "parquet")


def read_parquet(file: Path, reading: Reading) -> Found:
    """Read a Parquet file.

    Raises:
        LvmError: it is damaged, or no column holds vectors.
    """
    pa = arrow()
    held = pa.parquet.ParquetFile(file)

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return held.iter_batches(BATCH, columns=list(names))

    table = Table(file, held.schema_arrow, held.metadata.num_rows, file.stat().st_size, batches)
    facts = facts_of((held.schema_arrow.metadata or {}).get(ABOUT.encode(), b"").decode(errors="replace"))
    return _read([table], file, reading, facts)


def read_folder(folder: Path, reading: Reading) -> Found:
    """Read a `datasets` folder: of one dataset, or of one a split, whose articles are then its own.

    Raises:
        LvmError: it is damaged, or no column holds vectors.
    """
    arrow()
    parts = folder / "dataset_dict.json"
    if not parts.is_file():
        return _read([_dataset(folder, "")], folder, reading, {})
    with reading_of(parts, FOLDER):
        names = json.loads(parts.read_text("utf-8"))["splits"]
        if not isinstance(names, list) or any(Path(str(name)).name != name for name in names):
            raise ValueError("'splits' are no names of folders")
    return _read([_dataset(folder / name, name) for name in names], folder, reading, {})


def _dataset(folder: Path, split: str) -> Table:
    """A folder of Arrow streams, which are memory-mapped."""
    pa = arrow()
    state = folder / "state.json"
    with reading_of(state, FOLDER):
        said = json.loads(state.read_text("utf-8"))
        files = [folder / str(one["filename"]) for one in said["_data_files"]]
        if said.get("_indices_data_files") or said.get("_indices_files"):
            raise LvmError(
                "the dataset is a selection of rows that is not carried out",
                where=str(folder),
                fix="dataset.flatten_indices().save_to_disk(…)",
            )
        if any(file.parent != folder for file in files):
            raise ValueError("a data file lies outside of the folder")

    def every() -> Iterator[pa.RecordBatch]:
        for file in files:
            with reading_of(file, "an Arrow stream"), pa.memory_map(str(file)) as source:
                for batch in pa.ipc.open_stream(source):
                    batch.validate(full=True)
                    for begin in range(0, batch.num_rows, BATCH):
                        yield batch.slice(begin, BATCH)

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return (batch.select(list(names)) for batch in every())

    if not files:
        raise LvmError("the dataset has no data", where=str(folder), expected=FOLDER)
    with reading_of(files[0], "an Arrow stream"), pa.memory_map(str(files[0])) as source:
        schema = pa.ipc.open_stream(source).schema
    rows, size = sum(batch.num_rows for batch in every()), sum(one.stat().st_size for one in files)
    return Table(folder, schema, rows, size, batches, split)


def _read(tables: list[Table], file: Path, reading: Reading, facts: dict[str, str]) -> Found:
    where = str(file)
    if not tables:
        raise LvmError("there is no table in it", where=where, expected=FOLDER)
    first = tables[0]
    if any(table.schema.names != first.schema.names for table in tables):
        raise LvmError("the splits have columns of other names than each other", where=where)
    roles, note = by_role(first.schema.names, reading, where)
    vectors = roles.pop("vectors", None) or _only_lists(first.schema, where)
    if note and f"'{vectors}'" in note:
        _, note = by_role([name for name in first.schema.names if name != vectors], reading, where)
    columns: dict[str, list[Any]] = {role: [] for role in roles if role != "text"}
    texts: list[pa.Array] = []
    shared: dict[Any, Any] = {}
    unpacked = 0
    for table in tables:
        for batch in table.batches(list(roles.values())):
            unpacked += batch.nbytes
            reading.allow(unpacked, sum(table.size for table in tables), where)
            for role, name in roles.items():
                if role == "text":
                    texts.append(batch.column(name))
                    continue
                values = batch.column(name).to_pylist()
                if role == "article" and table.split:
                    values = [f"{table.split}/{value}" for value in values]
                columns[role] += [shared.setdefault(value, value) for value in values]
        if table.split and "split" not in roles:
            columns.setdefault("split", []).extend([table.split] * table.rows)
    return articles_of(
        _vectors(tables, vectors, unpacked, reading, where),
        columns,
        reading,
        where,
        by_row=True,
        texts=ColumnTexts(arrow().chunked_array(texts)) if texts else None,
        facts=facts,
        notes=[note],
    )


class ColumnTexts:
    """Texts in a column, each made when it is asked for."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: int) -> str:
        return text_of(self._column[row].as_py())

    def __iter__(self) -> Iterator[str]:
        return (text_of(text.as_py()) for chunk in self._column.chunks for text in chunk)


def _only_lists(schema: pa.Schema, where: str) -> str:
    """The one column of lists of floats, where none has a name that says it."""
    types = arrow().types
    lists = [
        field.name
        for field in schema
        if (types.is_list(field.type) or types.is_large_list(field.type) or types.is_fixed_size_list(field.type))
        and types.is_floating(field.type.value_type)
    ]
    if len(lists) != 1:
        raise LvmError(
            f"{len(lists) or 'no'} columns hold lists of floats: {', '.join(lists) or ', '.join(schema.names)}",
            where=where,
            expected="one that does, or one that is called vectors, embeddings …",
            fix="--column vectors=NAME",
        )
    return lists[0]


def _vectors(tables: list[Table], name: str, unpacked: int, reading: Reading, where: str) -> np.ndarray:
    """(N, D): the column of lists, of all tables."""
    rest = (_block(batch, name, where) for table in tables for batch in table.batches([name]))
    first = next(rest, np.empty((0, 0), np.float32))
    header = Header((sum(table.rows for table in tables), first.shape[1]), first.dtype, False, 0)
    reading.allow(unpacked + header.size, sum(table.size for table in tables), where)

    def parts() -> Iterator[np.ndarray]:
        for block in chain([first], rest):
            if block.shape[1] != first.shape[1] or block.dtype != first.dtype:
                raise LvmError(
                    f"vectors of width {first.shape[1]} and of width {block.shape[1]} stand in one column", where=where
                )
            yield block.reshape(-1).view(np.uint8)

    return spooled(header, parts())


def _block(batch: pa.RecordBatch, name: str, where: str) -> np.ndarray:
    """(n, D): the lists of some rows.

    Raises:
        LvmError: a list that is missing, or as long as no other.
    """
    pa = arrow()
    column = batch.column(name)
    column = column.storage if isinstance(column, pa.ExtensionArray) else column
    if not hasattr(column, "flatten") or pa.types.is_struct(column.type):
        raise LvmError(f"column '{name}' is {column.type}", where=where, expected="lists of floats")
    numbers = column.flatten()
    if column.null_count or numbers.null_count:
        raise LvmError(f"column '{name}' has rows without a vector, or with a gap in it", where=where)
    if pa.types.is_nested(numbers.type):
        raise LvmError(f"column '{name}' is {column.type}", where=where, expected="lists of floats")
    lengths = np.unique(pa.compute.list_value_length(column).to_numpy(zero_copy_only=False))
    if len(lengths) > 1:
        raise LvmError(
            f"vectors of width {lengths[0]} and of width {lengths[1]} stand in one column '{name}'", where=where
        )
    return numbers.to_numpy(zero_copy_only=False).reshape(len(column), -1 if len(column) else 0)


def write(corpus: Corpus, file: Path, writing: Writing) -> list[str]:
    """Write a Parquet file: article, chunk, title, split, source and text of each row, and its vector."""
    pa = arrow()
    outline, info = Outline(corpus), corpus.info
    own = corpus.texts if writing.texts else None
    kind = pa.from_numpy_dtype(outline.dtype)
    fields = {"article": pa.int64(), "chunk": pa.int64(), "split": pa.string()}
    named = {"title": outline.titles, "source": outline.sources}
    fields |= {name: pa.string() for name, held in named.items() if held}
    fields |= {"text": pa.string()} if own is not None else {}
    schema = pa.schema({**fields, "vector": pa.list_(kind, corpus.dim)}, metadata={ABOUT: about(info)})
    each = {name: pa.array(held) for name, held in named.items() if held}
    each["split"] = pa.array(SPLITS).take(pa.array(outline.splits))
    room = len(corpus) * corpus.dim * outline.dtype.itemsize
    with whole_file(file, room, parents=True) as stream, pa.parquet.ParquetWriter(stream, schema) as writer:
        for begin, end in blocks(len(corpus)):
            of = pa.array(outline.number[begin:end])
            columns = {"article": of, "chunk": pa.array(outline.within[begin:end])}
            columns |= {name: held.take(of) for name, held in each.items()}
            if own is not None:
                columns["text"] = pa.array(own.take(range(begin, end)))
            rows = corpus.vectors[begin:end].numpy().reshape(-1)
            columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(rows), corpus.dim)
            writer.write_batch(pa.record_batch([columns[name] for name in schema.names], schema=schema))
    return outline.notes
