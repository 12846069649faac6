"""What an encoder promises. One that declares `heavy = True` is tried only with --lvm-heavy."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np

from lvmcore.data.sources.text import Encoding
from lvmcore.testing.promises import Subject, expect, promise

TEXTS = (
    "The cat sat on the mat.",
    "A cat is sitting on the mat.",
    "Prices fell on Monday, by 3.5 % in an hour, and nobody could say why.",
    " ".join(["A long text goes on and on, and then it goes on."] * 120),
    "Größe, naïveté, 漢字, हिन्दी, العربية, e\N{COMBINING ACUTE ACCENT}, \N{SLIGHTLY SMILING FACE}",
    "half of a pair: \ud83d, a null: \x00, an escape: \x1b[2J, a tab:\t, a line:\n.",
    "x",
    "",
)
"""Such as a corpus may hold: short, long, of every script, broken, and none at all."""

CLOSE = 0.03
"""A row may differ by this share of its length from batch to batch: in bf16 sums round in another order."""


@cache
def built(component: Any) -> Encoding:
    """A component's encoder; built once, since weights take a while."""
    return component.build("cpu", "auto")


def encodings(subject: Subject) -> list[tuple[str, Encoding]]:
    """One encoder for each setting that is worth trying."""
    return [(text, built(made)) for text, made in subject.settings()]


def apart(one: np.ndarray, two: np.ndarray) -> float:
    """The greatest distance between rows, as a share of their length."""
    length = np.linalg.norm(one, axis=1) + 1e-12
    return float((np.linalg.norm(one - two, axis=1) / length).max(initial=0))


@promise("encoder")
def gives_a_row_a_text(subject: Subject) -> None:
    """It gives float32 (B, D), finite and not 0, for texts of any script and length, and for none at all."""
    for text, encoding in encodings(subject):
        for texts in (TEXTS, TEXTS[:1], ()):
            rows = encoding.encode(texts)
            expect(
                isinstance(rows, np.ndarray) and rows.dtype == np.float32 and rows.shape == (len(texts), encoding.dim),
                f"it gave {getattr(rows, 'dtype', type(rows))} {getattr(rows, 'shape', '')} for {len(texts)} texts "
                f"at D = {encoding.dim}{text}",
            )
            expect(bool(np.isfinite(rows).all() and rows.any(1).all()), f"a row is 0 or not finite{text}")


@promise("encoder")
def a_text_has_its_row_in_any_company(subject: Subject) -> None:
    """A text's row is the same, up to rounding, alone and in every batch, and stands where its text stood."""
    order = [5, 0, 3, 7, 1, 6, 4, 2]
    for text, encoding in encodings(subject):
        rows = encoding.encode(TEXTS)
        shuffled = encoding.encode([TEXTS[i] for i in order])
        alone = np.concatenate([encoding.encode([one]) for one in TEXTS])
        expect(apart(rows[order], shuffled) < CLOSE, f"in another order other rows come{text}")
        expect(apart(rows, alone) < CLOSE, f"alone a text has another row than in a batch{text}")


@promise("encoder")
def is_built_alike_each_time(subject: Subject) -> None:
    """Built twice it gives the same rows, bit by bit: a build that is resumed needs that."""
    for text, made in subject.settings():
        same = np.array_equal(built(made).encode(TEXTS), made.build("cpu", "auto").encode(TEXTS))
        expect(same, f"two of the same settings give different rows{text}")


@promise("encoder")
def texts_that_say_the_same_are_near(subject: Subject) -> None:
    """Two sentences of the same words are nearer to each other than to one of other words."""
    for text, encoding in encodings(subject):
        rows = encoding.encode(TEXTS[:3])
        same, other = rows[0] @ rows[1], rows[0] @ rows[2]
        expect(same > other, f"the same in other words is at {same:.3f}, something else at {other:.3f}{text}")


@promise("encoder")
def says_which_it_is(subject: Subject) -> None:
    """Its facts have a name, and the digest of its weights where it has weights."""
    for text, encoding in encodings(subject):
        expect(encoding.facts.name.strip(), f"it has no name{text}")
        digest = encoding.facts.weights
        expect(re.fullmatch("(sha256:[0-9a-f]{64})?", digest), f"'{digest}' is no sha256:… of weights{text}")


@promise("encoder")
def tokens_are_spans_of_the_text(subject: Subject) -> None:
    """Where it has a tokenizer, tokens are spans of the text, in order; several may be of one character."""
    for text, encoding in encodings(subject):
        if encoding.tokenizer is None:
            continue
        for one in TEXTS:
            spans = encoding.tokenizer(one)
            inside = all(0 <= first <= end <= len(one) for first, end in spans)
            expect(inside, f"the tokens of {one[:40]!r} reach beyond it{text}")
            ordered = [*map(list, zip(*spans, strict=True))] == [sorted(bounds) for bounds in zip(*spans, strict=True)]
            expect(ordered, f"the tokens of {one[:40]!r} are out of order{text}")
        expect(len(encoding.tokenizer(TEXTS[0])) >= 6, f"{TEXTS[0]!r} has fewer tokens than words{text}")


@promise("encoder")
def counts_what_it_cuts(subject: Subject) -> None:
    """`truncated` counts the texts that were cut: never more than there were, and none that is a word."""
    for text, encoding in encodings(subject):
        before = encoding.truncated
        encoding.encode(["word"])
        expect(encoding.truncated == before, f"a text of one word was cut{text}")
        encoding.encode(TEXTS)
        expect(0 <= encoding.truncated - before <= len(TEXTS), f"more texts were cut than there were{text}")
