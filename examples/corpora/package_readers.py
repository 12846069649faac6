"""Readers of two kinds of file that only this corpus needs: Perl's POD, and the strings of an R package."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from itertools import count
from typing import ClassVar

from lvmcore import Article, LvmError, Source, component, hookimpl

_CODE = re.compile(r"([A-Z])<<+\s+(.*?)\s+>>+|([A-Z])<([^<>]*)>", re.DOTALL)
_OPEN, _CLOSE = "\ue000", "\ue001"
_CHAPTER = re.compile(r"chapter\s+[ivxlc\d]+\.?", re.IGNORECASE)
_NOVEL = 1 << 24


@component
class Pod:
    """Perl's plain old documentation: a file is an article; what is indented is code, and out."""

    suffixes: ClassVar[tuple[str, ...]] = (".pod",)

    @staticmethod
    def example() -> bytes:
        return b"=head1 NAME\n\none - some B<te>xt\n\n    code\n\n=over\n\n=item *\n\nA dog.\n\n=back\n\n=cut\n"

    def build(self) -> Callable[[Source], Iterator[Article]]:
        def read(source: Source) -> Iterator[Article]:
            yield Article(source.name, _pod(source.lines()))

        return read


def _pod(lines: Iterable[str]) -> Iterator[str]:
    other = ""
    for paragraph in _blocks(lines):
        command, _, rest = paragraph.partition(" ") if paragraph.startswith("=") else ("", "", paragraph)
        if other:
            other = "" if command == "=end" and rest.strip() == other else other
        elif command == "=begin":
            other = rest.split()[0] if rest.split() else "?"
        elif command.startswith("=head") or (command == "=item" and rest.strip(" *0123456789.")):
            yield _plain(rest)
        elif not command and not paragraph[0].isspace():
            yield _plain(paragraph)


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    for line in lines:
        if line.strip():
            held.append(line)
        elif held:
            yield "".join(held).rstrip()
            held = []
    if held:
        yield "".join(held).rstrip()


def _plain(text: str) -> str:
    """The text without formatting codes, from the innermost outwards."""
    while (shorter := _CODE.sub(_inner, text)) != text:
        text = shorter
    return " ".join(text.replace(_OPEN, "<").replace(_CLOSE, ">").split())


def _inner(found: re.Match[str]) -> str:
    code, text = (found[1], _CODE.sub(_inner, found[2])) if found[1] else (found[3], found[4])
    if code in "XZ":
        return ""
    if code == "E":
        text = {"verbar": "|", "sol": "/"}.get(text, unescape(f"&{text};"))
    elif code == "L":
        text = text.partition("|")[0]
    return text.replace("<", _OPEN).replace(">", _CLOSE)


@component
class RStrings:
    """The lazy-loaded data of an R package, vectors of strings: each is a book by lines, and a chapter an article."""

    suffixes: ClassVar[tuple[str, ...]] = (".rdb",)

    @staticmethod
    def example() -> bytes:
        lines = ["A BOOK", "", "Chapter 1", "", "It was late.", "A dog barked.", "", "Chapter 2", "", "The end."]
        texts = b"".join(struct.pack(">2i", 0x40009, len(line)) + line.encode() for line in lines)
        book = struct.pack(">2s3ii5s2i", b"X\n", 3, 0, 0, 5, b"UTF-8", 16, len(lines)) + texts
        return struct.pack(">I", len(book)) + zlib.compress(book)

    def build(self) -> Callable[[Source], Iterator[Article]]:
        def read(source: Source) -> Iterator[Article]:
            with source.open() as file:
                data = file.read(_NOVEL)
            try:
                books = list(_books(data))
            except (zlib.error, struct.error, UnicodeDecodeError) as problem:
                raise LvmError(
                    f"it is no table of strings of R: {problem}", where=source.where, expected="vectors of strings"
                ) from None
            for book in books:
                yield from _chapters(f"{source.name}#{book[0].title() if book else ''}", book)

        return read


def _books(data: bytes) -> Iterator[list[str]]:
    """The vectors of strings, each compressed for itself behind its length."""
    while data:
        packed = zlib.decompressobj()
        book = packed.decompress(data[4:], min(struct.unpack_from(">I", data)[0], _NOVEL))
        if not packed.eof:
            raise zlib.error("it ends too early")
        yield _strings(book)
        data = packed.unused_data


def _strings(data: bytes) -> list[str]:
    """A vector of strings as R serialises it (R Internals, 1.8), in XDR."""
    form, version = struct.unpack_from(">2si", data)
    at = 14 + (4 + struct.unpack_from(">i", data, 14)[0] if version == 3 else 0)
    kind, length = struct.unpack_from(">2i", data, at)
    if form != b"X\n" or version not in (2, 3) or kind & 0xFF != 16:
        raise struct.error(f"form {form!r}, version {version}, type {kind & 0xFF}")
    at += 8
    strings = []
    for _ in range(length):
        flags, size = struct.unpack_from(">2i", data, at)
        at += 8 + max(size, 0)
        latin = flags >> 12 & 4
        strings.append(data[at - max(size, 0) : at].decode("latin-1" if latin else "utf-8"))
    return strings


def _chapters(title: str, lines: list[str]) -> Iterator[Article]:
    """What stands before the first chapter is the book's title, and out."""
    begun = [number for number, line in enumerate(lines) if _CHAPTER.fullmatch(line.strip())]
    for number, first, end in zip(count(1), begun, [*begun[1:], len(lines)], strict=False):
        own = (f"{line}\n" for line in lines[first + 1 : end] if not line.strip().upper().startswith("VOLUME "))
        yield Article(f"{title}, {number}", _blocks(own))


@hookimpl
def lvm_readers():
    return [("pod", Pod), ("r-strings", RStrings)]
