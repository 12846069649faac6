"""Where chunks end."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

REGISTRY = Registry(Plugins(only=()))


def letters(text: str) -> list[tuple[int, int]]:
    """Tokens of up to three characters."""
    return [found.span() for found in re.finditer(r"\S{1,3}", text)]


def chunks(term: str, *paragraphs: str) -> list[str]:
    return list(REGISTRY.make("chunker", parse_one(term)).build(letters)(iter(paragraphs)))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith paid $3.50 for it. He left.", 2),
        ("J. R. R. Tolkien wrote it. It sold well.", 2),
        ("See Fig. 3 on p. 15, i.e. the second. Then go on.", 2),
        ("Wait ... what is it? It is... nothing! Really?", 3),
        ("Mr. and Mrs. Bennet had 5 daughters… They were happy.", 2),
        ('He said, "I am here." Then he went.', 2),
        ("The U.S. Senate met on Jan. 5, 1990 at 5 p.m. It adjourned.", 2),
        ("Version 1.2.3 is out. Call os.path.join() now.", 2),
    ],
)
def test_sentences_end_at_none_of_these_dots(text: str, sentences: int) -> None:
    # as many words as the longest sentence has: two sentences never fit
    found = chunks(f"sentences:{max(len(text.split()) // sentences + 3, 6)}", text)
    assert " ".join(found) == text
    whole = chunks("sentences:1000", text)
    assert whole == [text]
    from nupunkt import sent_tokenize

    assert len(list(sent_tokenize(text))) == sentences


def test_sentences_are_packed_while_they_fit() -> None:
    ten = "One two three four five six seven eight nine ten."
    assert chunks("sentences:25", " ".join([ten] * 5)) == [f"{ten} {ten}", f"{ten} {ten}", ten]


def test_what_is_left_of_an_article_is_added_where_it_is_short() -> None:
    ten = "One two three four five six seven eight nine ten."
    assert chunks("sentences:20", " ".join([ten] * 2), "The end.") == [f"{ten} {ten} The end."]
    assert chunks("sentences:20", "The end.") == ["The end."]
    assert chunks("words:8", "a b c d e f g h i") == ["a b c d e", "f g h i"]
    assert chunks("words:8", "a b c d e f g h i j") == ["a b c d e f g h", "i j"]


def test_a_paragraph_ends_a_chunk_that_is_half_full() -> None:
    assert chunks("sentences:8", "Heading", "One two three.", "Four five six.") == [
        "Heading One two three.",
        "Four five six.",
    ]
    assert chunks("sentences:9", "Heading", "One two three.", "Four five six.") == [
        "Heading One two three. Four five six."
    ]


def test_a_long_sentence_is_cut_evenly_where_a_clause_ends() -> None:
    text = "It was late and it was dark in the old house by the sea, and nobody who had any sense was still about then."
    assert chunks("sentences:15", text) == [
        "It was late and it was dark in the old house by the sea,",
        "and nobody who had any sense was still about then.",
    ]
    assert [len(piece.split()) for piece in chunks("sentences:10", "word " * 41 + "end")] == [8, 8, 9, 8, 9]


def test_paragraphs_are_chunks_up_to_a_number_of_words() -> None:
    assert chunks("paragraphs:5", "One two.", "a b c. d e f.", "1 2 3 4 5 6 7 8 9 10 11") == [
        "One two.",
        "a b c.",
        "d e f.",
        "1 2 3 4",
        "5 6 7 8",
        "9 10 11",
    ]


def test_tokens_never_exceed_the_number_and_words_stay_whole() -> None:
    assert chunks("tokens:3", "abcdef abc ab abcdefg abcdefghijklm x") == [
        "abcdef abc",
        "ab",
        "abcdefg",
        "abcdefghi",
        "jklm x",
    ]


def test_tokens_need_a_tokenizer() -> None:
    with pytest.raises(LvmError, match="the encoder has no tokenizer"):
        REGISTRY.make("chunker", parse_one("tokens:64")).build(None)


def test_white_space_is_one_space() -> None:
    for term in ("sentences:40", "paragraphs", "words:40", "tokens:64"):
        assert chunks(term, "One\n  two\t three.") == ["One two three."]


words = st.text(st.sampled_from('ab.,!?"…é漢 \n)'), min_size=1, max_size=12)
paragraphs = st.lists(st.lists(words, max_size=60).map(" ".join).map(str.strip).filter(bool), max_size=6)
terms = st.tuples(st.sampled_from(["sentences", "paragraphs", "words", "tokens"]), st.integers(1, 60))


@given(texts=paragraphs, term=terms, seed=st.randoms(use_true_random=False))
def test_every_chunk_keeps_its_bound_and_nothing_is_lost(texts: list[str], term: tuple[str, int], seed) -> None:
    name, most = term
    found = chunks(f"{name}:{most}", *texts)
    assert " ".join(found).replace(" ", "") == "".join("".join(text.split()) for text in texts)
    size = (lambda text: len(letters(text))) if name == "tokens" else (lambda text: len(text.split()))
    bound = most * 1.25 if name == "sentences" else most
    assert all(size(chunk) <= bound for chunk in found)
    parted = []
    for text in texts:
        cuts = sorted(
            {0, len(text), *(i for i in range(1, len(text)) if text[i - 1].isspace() and seed.random() < 0.3)}
        )
        parted += [text[a:b] for a, b in pairwise(cuts)]
    assert chunks(f"{name}:{most}", *parted) == found


@pytest.mark.parametrize("term", ["sentences:40", "paragraphs", "words:40", "tokens:64"])
@pytest.mark.parametrize("goes_on", ["", " "])
def test_an_endless_article_is_chunked_in_little_memory(term: str, goes_on: str) -> None:
    def text() -> Iterator[str]:
        for i in range(4_000):
            yield f"This is sentence number {i} of an article that goes on and on, without end.{goes_on}"

    chunker = REGISTRY.make("chunker", parse_one(term)).build(letters)
    tracemalloc.start()
    count = sum(1 for _ in chunker(text()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 250
    assert peak < 3 << 20


@pytest.mark.parametrize(
    "piece", ["a", ".", "a.", ". ", '"', "(", "A. ", "...", "e.g. ", "1.", "\u2026", "?!", "\n", "x\n\n"]
)
def test_odd_text_is_chunked_in_no_time(piece: str) -> None:
    for term in ("sentences:40", "paragraphs", "words:40", "tokens:64"):
        assert sum(len(chunk) for chunk in chunks(term, (piece * (200_000 // len(piece))).strip() or "x"))
