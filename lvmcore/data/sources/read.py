"""Files → articles: each file by the reader of its suffix, and what was met on the way is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path

import attrs

from lvmcore.data.sources.find import Found, find
from lvmcore.data.sources.text import Article, Source
from lvmcore.data.sources.unpack import Bounds
from lvmcore.errors import LvmError
from lvmcore.expression import Term
from lvmcore.registry import Registry

Reader = Callable[[Source], Iterator[Article]]


@attrs.define(slots=False)
class Reading:
    """Reads the articles of files and folders, one after another.

    Args:
        reader: the term of the one to read all with; each file by its suffix where it is None.
    """

    registry: Registry
    reader: Term | None = None
    bounds: Bounds = Bounds()
    files: int = attrs.field(default=0, init=False)
    """Files that were read."""
    without_text: list[str] = attrs.field(factory=list, init=False)
    """Files that gave no article with text."""
    empty_articles: int = attrs.field(default=0, init=False)
    """Articles without text, in files that have others."""
    passed_over: Counter[str] = attrs.field(factory=Counter, init=False)
    """Files of folders and archives that no reader is for, by suffix."""

    _built: dict[str, Reader] = attrs.field(factory=dict, init=False, repr=False)

    def articles(self, paths: Iterable[str | Path]) -> Iterator[tuple[Source, Article]]:
        """Every article that has text, with the source it comes from, in the order of the paths.

        Its paragraphs are to be read before the next one is asked for; what is left of them is passed over.

        Raises:
            LvmError: a path is not there, a file that was named has no reader, or can't be read.
        """
        if self.reader:
            self._made(self.reader)  # a mistake in what was asked for shows before anything is read
        for path in paths:
            for found in self.find(path):
                if self.reads(found):
                    yield from ((found.source, article) for article in self.read(found))
                else:
                    self.passed_over[Path(found.source.name).suffix.lower() or "no suffix"] += 1

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Those that have a reader."""
        return tuple(self._by_suffix)

    def find(self, path: str | Path) -> Iterator[Found]:
        """Every file of a path, in order, also those that no reader is for.

        Raises:
            LvmError: it is not there.
        """
        return find(path, self._by_suffix, self.bounds)

    def reads(self, found: Found) -> bool:
        """Whether there is a reader for a file.

        Raises:
            LvmError: there is none, and the file was named.
        """
        return self._reader(found) is not None

    def notes(self) -> Iterator[str]:
        """What was met that may not have been meant, in sentences."""
        if self.passed_over:
            kinds = ", ".join(f"{count:,} of {suffix}" for suffix, count in self.passed_over.most_common(6))
            yield f"{self.passed_over.total():,} files were passed over, since no reader is for them: {kinds}"
        if self.without_text:
            yield f"{len(self.without_text):,} files hold no text: {_some(self.without_text)}"
        if self.empty_articles:
            yield f"{self.empty_articles:,} articles without text were left out"

    def read(self, found: Found) -> Iterator[Article]:
        """Every article of a file that has text; what its paragraphs hold yet when the next is asked for is passed
        over.

        Raises:
            LvmError: it can't be read, or not to its end.
        """
        self.files += 1
        given = empty = 0
        read = self._reader(found)
        for article in read(found.source) if read else ():
            paragraphs = article.paragraphs
            if (first := next(paragraphs, None)) is None:
                empty += 1
                continue
            given += 1
            yield Article(article.title, chain((first,), paragraphs))
            for _ in paragraphs:
                pass
        if given:
            self.empty_articles += empty
        else:
            self.without_text.append(found.source.name)

    @cached_property
    def _by_suffix(self) -> dict[str, Term]:
        """The reader of each suffix; the built-in ones come first, so that no plugin takes a suffix in silence."""
        if self.reader:
            known = [(self.reader, self.registry.find("reader", self.reader).component)]
        else:
            known = [(Term(one.name, dist=one.plugin.dist), one.component) for one in self.registry.all("reader")]
        readers: dict[str, Term] = {}
        for term, component in known:
            for suffix in component.suffixes:  # pyright: ignore[reportAttributeAccessIssue]
                readers.setdefault(suffix.lower(), term)
        return readers

    def _reader(self, found: Found) -> Reader | None:
        if term := self.reader if found.asked_for and self.reader else self._by_suffix.get(found.suffix):
            return self._made(term)
        if found.asked_for:
            raise LvmError(
                "the name of the file does not say what reads it",
                where=found.source.where,
                expected=f"one of {' '.join(sorted(self._by_suffix))}, also .gz, .bz2, .xz or in a .zip",
                fix="name the reader, as in --reader text; lvm list readers shows them",
            )
        return None

    def _made(self, term: Term) -> Reader:
        """Made when it is first needed: a library that is missing is no matter to files of other types."""
        if str(term) not in self._built:
            self._built[str(term)] = self.registry.make("reader", term).build()
        return self._built[str(term)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
