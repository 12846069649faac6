"""Reading what anybody may have written: regular files of a bounded size, JSON of a bounded depth, and its types."""

from __future__ import annotations

import json
import math
import os
import stat
import struct
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, get_origin

import attrs
import cattrs
from cattrs.cols import homogenous_tuple_structure_factory, mapping_structure_factory
from cattrs.gen import make_dict_structure_fn

from lvmcore.errors import LvmError, nearest

T = TypeVar("T")

RECORD = 1 << 24
"""Bytes that a record has at most; an evaluation with a hundred checks has a few hundred thousand."""
DEPTH = 64
"""Levels of nesting at most, which whatever walks a document can bear."""
_WHOLE = range(-(1 << 63), 1 << 63)


def open_regular(path: Path) -> BinaryIO:
    """A regular file to read: a pipe would be waited for, and a device has no end.

    Raises:
        OSError: it is not there, or must not be read.
        LvmError: it is something else.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise LvmError("it is no regular file", where=str(path))
    return file


def read_bytes(path: Path, most: int = RECORD) -> bytes:
    """All of a file.

    Raises:
        LvmError: not there, no regular file, or too large.
    """
    try:
        with open_regular(path) as file:
            content = file.read(most + 1)
    except OSError as problem:
        raise LvmError(f"the file cannot be read: {problem.strerror or problem}", where=str(path)) from None
    if len(content) > most:
        raise LvmError(f"the file is larger than {most:,} bytes", where=str(path), expected="a record, which is small")
    return content


def read_json(path: Path, most: int = RECORD) -> Any:
    """The value that a JSON file holds.

    Raises:
        LvmError: as `read_bytes`; what is no UTF-8, no JSON, or nested too deep.
    """
    return _parsed(path, most, "JSON", parse_json)


def read_json_lines(path: Path, most: int = RECORD) -> list[Any]:
    """The values of a JSON Lines file. A line ends at a newline only: JSON text may hold the other line separators.

    Raises:
        LvmError: as `read_json`; the line is named.
    """
    return _parsed(path, most, "JSONL", lambda text: list(_lines(text)))


def read_toml(path: Path, most: int = RECORD) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        LvmError: as `read_json`.
    """
    return _parsed(path, most, "TOML", tomllib.loads)


def _parsed(path: Path, most: int, form: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(read_bytes(path, most).decode())
    except RecursionError:
        why: object = "it is nested too deep"
    except ValueError as problem:
        why = problem
    raise LvmError(f"the file is no {form}: {why}", where=str(path))


def _lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        try:
            yield parse_json(line)
        except json.JSONDecodeError as problem:
            raise ValueError(f"line {number}, column {problem.colno}: {problem.msg}") from None
        except ValueError as problem:
            raise ValueError(f"line {number}: {problem}") from None


def parse_json(text: str, depth: int = DEPTH) -> Any:
    """The value of a JSON text.

    Args:
        depth: levels of nesting at most.

    Raises:
        ValueError: no JSON, a number of thousands of digits, or nested too deep.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested more than {depth} deep") from None
    level = [value]
    for _ in range(depth):
        level = [item for held in level if isinstance(held, dict | list) for item in _items(held)]
        if not level:
            return value
    raise ValueError(f"it is nested more than {depth} deep")


def _items(held: dict[str, Any] | list[Any]) -> Any:
    return held.values() if isinstance(held, dict) else held


@attrs.frozen
class Header:
    """What stands before the tensors of a safetensors file."""

    about: Any
    """The JSON that lvm wrote there; an empty table of a file that it did not write."""
    metadata: dict[str, str]
    tensors: dict[str, tuple[str, tuple[int, ...]]]
    """Name → type and shape. Together they are as large as the file."""

    @property
    def numbers(self) -> int:
        """In all tensors together."""
        return sum(math.prod(shape) for _, shape in self.tensors.values())


def read_header(path: Path, most: int = RECORD, depth: int = DEPTH) -> Header:
    """The header of a safetensors file; no tensor is read.

    Args:
        most: bytes that it may have.
        depth: levels of nesting of its JSON.

    Raises:
        LvmError: no regular file, truncated, no safetensors file, or a header that is too large or no JSON.
    """
    import safetensors

    try:
        with open_regular(path) as file:
            length = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0]
        if length > most:
            raise ValueError(f"its header would have {length:,} bytes, and {most:,} is the most")
        with safetensors.safe_open(str(path), framework="numpy") as held:
            metadata = held.metadata() or {}
            slices = {name: held.get_slice(name) for name in held.keys()}  # noqa: SIM118
            tensors = {name: (one.get_dtype(), tuple(one.get_shape())) for name, one in slices.items()}
        return Header(parse_json(metadata.get("lvm", "{}"), depth), metadata, tensors)
    except (safetensors.SafetensorError, OSError, ValueError) as problem:
        why = problem.strerror or problem if isinstance(problem, OSError) else problem
        raise LvmError(f"the file cannot be read; it may be truncated: {why}", where=str(path)) from None


def checked(value: Any, kind: type[T], where: str, what: str) -> T:
    """A value of plain data as an attrs class; keys that it does not know, of a later version, are left aside.

    Args:
        what: what it should be, for the error.

    Raises:
        LvmError: keys that are missing, or of a wrong type, each of them named.
    """
    try:
        return _LOOSE.structure(value, kind)
    except Exception as problem:
        said = mistakes(problem)
        more = f"; and {len(said) - 3} more" if len(said) > 3 else ""
        raise LvmError(f"{what}: {'; '.join(said[:3])}{more}", where=where) from None


def converter(*, forbid_extra_keys: bool) -> cattrs.Converter:
    """One that takes no text for a number or a list, nor the other way round, and no number of more than 64 bits."""
    made = cattrs.Converter(forbid_extra_keys=forbid_extra_keys)
    for kind, accepted in ((str, (str,)), (int, (int,)), (float, (int, float)), (bool, (bool,))):
        made.register_structure_hook(kind, _strict(kind, *accepted))
    for fits, base, accepted, what in (
        (attrs.has, _structure_table, (dict,), "table"),
        (lambda kind: get_origin(kind) is dict, mapping_structure_factory, (dict,), "table"),
        (lambda kind: get_origin(kind) is tuple, homogenous_tuple_structure_factory, (list, tuple), "list"),
    ):
        made.register_structure_hook_factory(fits, _only(base, accepted, what))
    return made


def _structure_table(kind: Any, made: Any) -> Any:
    return make_dict_structure_fn(kind, made)


def _only(base: Any, accepted: tuple[type, ...], what: str) -> Any:
    """The hook that a factory makes, for what is such a value at all."""

    def factory(kind: Any, made: Any) -> Any:
        inner = base(kind, made)

        def structure(value: Any, _: Any) -> Any:
            if not isinstance(value, accepted):
                raise ValueError(f"{shortened(value)} is no {what}")
            return inner(value, kind)

        return structure

    return factory


def _strict(kind: type, *accepted: type) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
            raise ValueError(f"{shortened(value)} is no {kind.__name__}")
        if kind in (int, float) and isinstance(value, int) and value not in _WHOLE:
            raise ValueError(f"{shortened(value)} has more than 64 bits")
        return kind(value)

    return structure


def shortened(value: Any) -> str:
    """A value for an error, which may be of any length."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


_LOOSE = converter(forbid_extra_keys=False)


def mistakes(problem: Exception) -> list[str]:
    """One sentence for each thing that a converter found, with the key it is at."""
    messages = []
    for message in cattrs.transform_error(problem, path="", format_exception=describe):
        what, _, path = message.rpartition(" @ ")
        messages.append(f"{path.lstrip('.')}: {what}" if path.strip(".") else what)
    return messages


def describe(problem: BaseException, kind: type | None) -> str:
    if isinstance(problem, cattrs.ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(problem.cl)]
        guesses = {key: nearest(key, known) for key in sorted(problem.extra_fields)}
        return "; ".join(
            f"unknown key '{key}'" + (f", did you mean '{guess}'?" if guess else "") for key, guess in guesses.items()
        )
    if isinstance(problem, KeyError):
        return f"the key {problem.args[0]!r} is missing"
    return str(problem.args[0]) if problem.args else str(problem)
