"""A text as a corpus has it: cut by its chunker, encoded by its encoder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import attrs
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.sources.text import Article, Encoding
from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.plain import clean
from lvmcore.registry import Registry

CHUNKER = "sentences:40"
"""What cuts a text where a corpus does not say how its own were cut."""


@attrs.frozen(eq=False)
class Passage:
    """Consecutive chunks of a text."""

    chunks: tuple[str, ...]
    vectors: Tensor
    """(n, D) unit rows."""


def read_passage(
    text: str | Path, corpus: Corpus, registry: Registry, last: int, *, encoder: str = "", chunker: str = ""
) -> tuple[Passage, list[str]]:
    """The last chunks of a text, as the corpus would hold them, and what may not have been meant.

    Args:
        text: the text itself, or a file of it, which the reader of its suffix reads.
        last: how many chunks.
        encoder: in place of the corpus's own, an expression.
        chunker: likewise.

    Raises:
        LvmError: too short a text; the corpus does not say what encoded it, or that gives another width.
    """
    notes = []
    encoding = _encoding(encoder, corpus, registry)
    if not chunker:
        chunker = corpus.info.chunking if _is_chunker(corpus.info.chunking, registry) else CHUNKER
        if chunker != corpus.info.chunking:
            notes.append(f"the corpus was cut by '{corpus.info.chunking}', the text is cut by {chunker}")
    cut = registry.make("chunker", parse_one(chunker)).build(encoding.tokenizer)
    chunks = tuple(cut(_paragraphs(text, registry)))
    if len(chunks) < last:
        raise LvmError(
            f"the text gives {len(chunks)} chunk{'s' * (len(chunks) != 1)} by {chunker}",
            where=str(text) if isinstance(text, Path) else "the text",
            expected=f"at least {last}, which the model reads",
            fix="a longer text, or a chunker of smaller chunks, such as --chunker sentences:15",
        )
    vectors = torch.from_numpy(encoding.encode(chunks[-last:]))
    return Passage(chunks[-last:], torch.nn.functional.normalize(vectors, dim=-1)), notes


def _encoding(term: str, corpus: Corpus, registry: Registry) -> Encoding:
    if not (chosen := term or corpus.info.encoder_term):
        raise LvmError(
            f"the corpus does not say what encodes a text as it was encoded; its encoder is called "
            f"'{corpus.info.encoder}'",
            where=corpus.where,
            expected="one that was written by lvm data build",
            fix="name the encoder, as in --encoder minilm; lvm list encoders shows them",
        )
    encoding = registry.make("encoder", parse_one(chosen)).build("auto", "auto")
    if encoding.dim != corpus.dim:
        raise LvmError(
            f"encoder '{chosen}' gives vectors of width {encoding.dim}, the corpus holds width {corpus.dim}",
            where=corpus.where,
            expected=f"the encoder that made the corpus, '{corpus.info.encoder}'",
            fix="--encoder, another one",
        )
    return encoding


def _is_chunker(text: str, registry: Registry) -> bool:
    try:
        return bool(registry.make("chunker", parse_one(text)))
    except LvmError:  # words about it
        return False


def _paragraphs(text: str | Path, registry: Registry) -> Iterator[str]:
    if isinstance(text, Path):
        from lvmcore.data.sources.read import Reading

        yield from chain.from_iterable(article.paragraphs for _, article in Reading(registry).articles([text]))
    else:
        yield from Article("the text", iter(re.split(r"\n\s*\n", clean(text)))).paragraphs
