"""What a chunker promises."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

from lvmcore.testing.promises import Subject, expect, promise

PARAGRAPHS = (
    "Chapter 1",
    'Dr. J. R. Smith paid $3.50, e.g. for 2.5 kg of it. Then he left… He said: "I am here." Was he?',
    "one two three four five six seven eight nine ten " * 30 + "eleven",
    "x" * 3000,
    "Ein Satz mit Umlauten: äöü. 漢字も。 \U0001f600 !",
    "Short.",
    "A sentence goes on, as sentences do; then it ends. " * 40 + "It ends.",
    "The end",
)


def tokenizer(text: str) -> list[tuple[int, int]]:
    """Tokens of up to four characters, none across white space."""
    return [found.span() for found in re.finditer(r"\S{1,4}", text)]


def chunks(made: Any, *paragraphs: str) -> list[str]:
    """The chunks of an article."""
    return list(made.build(tokenizer)(iter(paragraphs)))


@promise("chunker")
def chunks_are_texts(subject: Subject) -> None:
    """It gives texts in order, stripped, none empty; and no chunk for no text."""
    for text, made in subject.settings():
        given = chunks(made, *PARAGRAPHS)
        expect(given, f"it gave no chunk{text}")
        wrong = [one for one in given if not isinstance(one, str) or not one or one != one.strip()]
        expect(not wrong, f"it gave {wrong[:1]!r}{text}")
        expect(not chunks(made), f"it gave chunks of nothing{text}")


@promise("chunker")
def chunks_are_of_the_text(subject: Subject) -> None:
    """Every chunk stands in the article, but for white space, and in the order of the chunks."""
    whole = _dense("".join(PARAGRAPHS))
    for text, made in subject.settings():
        begin = 0
        for chunk in chunks(made, *PARAGRAPHS):
            at = whole.find(_dense(chunk), begin)
            expect(at >= 0, f"'{chunk[:60]}' is not in the text, or not in order{text}")
            begin = at


@promise("chunker")
def parts_make_no_difference(subject: Subject) -> None:
    """A paragraph in parts, each but the last of which ends in white space, gives the chunks of the whole."""
    for text, made in subject.settings():
        whole = chunks(made, *PARAGRAPHS)
        for seed in range(4):
            parted = [part for paragraph in PARAGRAPHS for part in _parts(paragraph, random.Random(seed))]
            expect(chunks(made, *parted) == whole, f"paragraphs in parts give other chunks{text}")


@promise("chunker")
def same_text_gives_the_same_chunks(subject: Subject) -> None:
    """Built anew, it gives the same chunks, whatever came before."""
    made = subject.make()
    chunker = made.build(tokenizer)
    list(chunker(iter(PARAGRAPHS[::-1])))
    expect(list(chunker(iter(PARAGRAPHS))) == chunks(made, *PARAGRAPHS), "it remembers the article before")


@promise("chunker")
def chunks_come_as_a_stream(subject: Subject) -> None:
    """It gives chunks long before it has read all of a long article, of many paragraphs or of one."""
    for text, made in subject.settings():
        for goes_on in ("", " "):
            seen = 0

            def endless(end: str = goes_on, text: str = text) -> Iterator[str]:
                nonlocal seen
                while True:
                    seen += 1
                    expect(seen < 20_000, f"it gave no chunk after reading 20,000 sentences{text}")
                    yield f"This is sentence number {seen} of one without an end.{end}"

            next(iter(made.build(tokenizer)(endless())))


def _parts(paragraph: str, chance: random.Random) -> Iterator[str]:
    words = paragraph.split(" ")
    while words:
        count = chance.randint(1, 40)
        yield " ".join(words[:count]) + " " * (count < len(words))
        words = words[count:]


def _dense(text: str) -> str:
    return "".join(text.split())
