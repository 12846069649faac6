"""Bytes → text in blocks: which encoding, is it text at all, and which byte is wrong if not."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from lvmcore.errors import LvmError

BLOCK = 1 << 16
"""Bytes decoded at a time."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY = re.compile("[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")
_SHARE = 0.02
"""The share of control characters above which a block is no text."""


def is_encoding(component: object, attribute: Any, name: str) -> None:
    """A validator of options: `auto`, or an encoding that Python knows."""
    try:
        if name != "auto":
            "".encode(name)
            codecs.getincrementaldecoder(name)
        return
    except (LookupError, ValueError):  # unknown, or, as base64 is, one of bytes
        pass
    raise ValueError(f"'{attribute.name}' is 'auto' or the name of an encoding, such as cp1252, not '{name}'")


def decoded(file: BinaryIO, encoding: str, where: str, fallback: str = "utf-8") -> Iterator[str]:
    """The text of a file in blocks, every line end a newline.

    Args:
        encoding: `auto` for what the byte order mark says, and `fallback` where there is none.

    Raises:
        LvmError: it is no text, or not in this encoding; the byte is named.
    """
    offset, data = 0, _filled(file)
    if encoding == "auto":
        mark, encoding = next(((m, name) for m, name in _MARKS if data.startswith(m)), (b"", fallback))
        offset, data = len(mark), data[len(mark) :]
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = io.IncrementalNewlineDecoder(None, translate=True)
    first = True
    while True:
        kept = _pending(decoder)
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeError as problem:
            at = offset - kept + getattr(problem, "start", kept)
            raise _undecodable(where, at, encoding, getattr(problem, "reason", str(problem))) from None
        controls = len(_BINARY.findall(text))
        if (first and "\0" in text) or controls > max(8, _SHARE * len(text)):
            raise _no_text(where, offset)
        yield lines.decode(text, final=not data)
        if not data:
            return
        offset, first = offset + len(data), False
        data = file.read(BLOCK)


def _filled(file: BinaryIO) -> bytes:
    """The first block; a pipe may give its bytes in smaller pieces than a mark is long."""
    data = b""
    while len(data) < BLOCK and (more := file.read(BLOCK - len(data))):
        data += more
    return data


def _pending(decoder: codecs.IncrementalDecoder) -> int:
    """How many bytes of a character the decoder holds back."""
    held = decoder.getstate()[0]
    return len(held) if isinstance(held, bytes) else 0


def _undecodable(where: str, at: int, encoding: str, reason: str) -> LvmError:
    return LvmError(
        f"byte {at:,} is not {encoding}: {reason}",
        where=where,
        expected="text in UTF-8, or with the byte order mark of UTF-8, UTF-16 or UTF-32",
        fix="name its encoding, as in --reader text,encoding=cp1252, or iconv -f CP1252 -t UTF-8",
    )


def _no_text(where: str, at: int) -> LvmError:
    return LvmError(
        "this is no text: it holds control characters as binary files do",
        where=f"{where}, from byte {at:,}",
        expected="text",
        fix="leave the file out, or, if it is UTF-16 without a byte order mark, name its encoding, as in "
        "--reader text,encoding=utf-16-le",
    )


def lines(blocks: Iterator[str], longest: int) -> Iterator[str]:
    """The lines of a text, each with its newline; a line longer than `longest` characters in parts without one."""
    held: list[str] = []  # parts of a line that has not ended
    length = 0
    for block in blocks:
        *whole, rest = block.split("\n")
        for line in whole:
            yield "".join((*held, line, "\n"))
            held, length = [], 0
        if rest:
            held.append(rest)
            length += len(rest)
        if length >= longest:
            text = "".join(held)
            cut = max(text.rfind(" "), text.rfind("\t")) + 1 or length
            yield text[:cut]
            held, length = [text[cut:]], length - cut
    if rest := "".join(held):
        yield rest
