"""What a reader promises."""

from __future__ import annotations

import io
from typing import Any

from lvmcore.data.sources.text import Article, Source
from lvmcore.errors import LvmError
from lvmcore.testing.promises import Subject, expect, promise

GARBAGE = (
    b"",
    b"\n",
    b"\0\1\2\3" * 300,
    bytes(range(256)) * 8,
    b"\xff\xfe\x00",
    b"{" * 3000,
    b"<" * 3000,
    b"# \n---\n```\n|",
    "é, 漢字, \U0001f600 \x1b[31mred\x1b[0m \u202e".encode(),
)


def source(subject: Subject, data: bytes) -> Source:
    """A source that holds these bytes."""
    return Source(f"a{subject.component.suffixes[0]}", lambda: io.BytesIO(data))  # pyright: ignore[reportAttributeAccessIssue]


def example(subject: Subject) -> bytes:
    """The file that the class brings along."""
    return subject.component.example()  # pyright: ignore[reportAttributeAccessIssue]


def read(made: Any, given: Source) -> list[tuple[str, list[str]]]:
    """The articles of a source, held."""
    return [(article.title, list(article.paragraphs)) for article in made.build()(given)]


@promise("reader")
def says_which_suffixes_it_reads(subject: Subject) -> None:
    """Its class declares the `suffixes` of its files, each with a dot, in lower case, and none of a compression."""
    suffixes = getattr(subject.component, "suffixes", ())
    expect(isinstance(suffixes, tuple) and suffixes, "it declares no tuple `suffixes`")
    wrong = [s for s in suffixes if not s.startswith(".") or s != s.lower() or s in (".gz", ".bz2", ".xz", ".zip")]
    expect(not wrong, f"no suffixes of files are: {', '.join(wrong)}")


@promise("reader")
def reads_its_example(subject: Subject) -> None:
    """Its class has a static method `example() -> bytes`, a small file; reading it gives an `Article` with text."""
    given = list(subject.make().build()(source(subject, example(subject))))
    expect(given, "its example has no article")
    wrong = [type(article).__name__ for article in given if not isinstance(article, Article)]
    expect(not wrong, f"it gave {', '.join(wrong)} in the place of an article")
    for made in (made for _, made in subject.settings()):
        held = read(made, source(subject, example(subject)))
        expect(any(paragraphs for _, paragraphs in held), "its example has no text")
        expect(all(title for title, _ in held), "an article has no title")


@promise("reader")
def reads_alike_each_time(subject: Subject) -> None:
    """The same file gives the same articles, also when an article is not read to its end."""
    made, given = subject.make(), source(subject, example(subject))
    once = read(made, given)
    expect(once == read(made, given), "two readings differ")
    titles = [article.title for article in made.build()(given)]
    expect(titles == [title for title, _ in once], "it gives other articles where one is not read to its end")


@promise("reader")
def anything_is_articles_or_an_error(subject: Subject) -> None:
    """Any bytes give articles, or an `LvmError` that names the file: truncated, damaged, or not of its type at all."""
    good = example(subject)
    for text, made in subject.settings():
        for data in (*GARBAGE, *(good[: len(good) * i // 8] for i in range(1, 8)), good[::-1]):
            try:
                read(made, source(subject, data))
            except LvmError as problem:
                where = source(subject, b"").name
                expect(where in (problem.where or ""), f"the error does not name the file{text}: {problem.what}")
            except Exception as problem:
                expect(False, f"{type(problem).__name__}{text} for {data[:40]!r}: {problem}")


@promise("reader")
def an_empty_file_gives_no_text(subject: Subject) -> None:
    """A file without a byte gives no article with text."""
    try:
        held = read(subject.make(), source(subject, b""))
    except LvmError:  # it is no file of its type
        return
    expect(not any(paragraphs for _, paragraphs in held), "it gave text")
