"""What a corpus promises. One that declares `heavy = True` is tried only with --lvm-heavy."""

from __future__ import annotations

from functools import cache

from lvmcore.data.corpus import Corpus
from lvmcore.data.windows import SPLITS
from lvmcore.testing.material import CONTEXT
from lvmcore.testing.promises import Subject, expect, promise

_SAMPLE = 4096


@cache
def built(component: type) -> Corpus:
    """The corpus of a class, of its small preset where it has one; built once."""
    preset = getattr(component, "toy", component)
    return preset().build()


@promise("corpus")
def is_a_corpus(subject: Subject) -> None:
    """It gives a `Corpus`: shapes, types and rows are checked as it is made; read rows have length 1."""
    corpus = built(subject.component)
    expect(isinstance(corpus, Corpus), f"it gave a {type(corpus).__name__}")
    lengths = corpus.rows(corpus.starts[:-1][:_SAMPLE].clamp_max(len(corpus) - 1)).norm(dim=-1)
    expect(bool(((lengths - 1).abs() < 1e-3).all()), "rows are not of length 1")


@promise("corpus")
def has_windows_to_train_and_to_evaluate_on(subject: Subject) -> None:
    """It holds windows of five context rows and a target in train, val and ood."""
    empty = [split for split in SPLITS if not len(built(subject.component).windows(split, CONTEXT))]
    expect(not empty, f"no article is long enough in {', '.join(empty)}")


@promise("corpus")
def says_where_it_comes_from(subject: Subject) -> None:
    """Its header names the corpus, its encoder, its licence and its source."""
    info = built(subject.component).info
    unsaid = [key for key in ("name", "encoder", "licence", "source") if getattr(info, key) in ("", "unknown")]
    expect(not unsaid, f"CorpusInfo does not say: {', '.join(unsaid)}")


@promise("corpus")
def is_built_alike_each_time(subject: Subject) -> None:
    """Built twice it holds the same, and the digest in its header is that of what it holds."""
    one = built(subject.component)
    two = getattr(subject.component, "toy", subject.component)().build()
    held = one.verify()
    expect(one.digest == held, f"the digest is {one.digest}, that of the contents {held}")
    expect(two.digest == held, "two builds differ")
