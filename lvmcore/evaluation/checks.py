"""Tests of an evaluation, each under its letter: those of the protocol, and those that plugins add.

A test is a made component with a `letter` and a `title` on its class, and three methods: `figures(context)` declares
what it measures, `counts()`, if it has any, what it counts, and `build()` gives the function that measures a chunk of
windows: `Chunk → {name: (B,)}`, NaN where a window can't be measured. Names without a declared figure are kept beside
the figures, window by window, and stand in no document. `remarks(name, split, columns, statistics)`, if there is one,
says what is worth saying of a predictor's columns. Needs no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from lvmcore.errors import LvmError, because, strict
from lvmcore.evaluation.figures import Columns, Count, Declared, Figure
from lvmcore.evaluation.protocols import DEFAULT, Protocol, protocol_of
from lvmcore.expression import parse
from lvmcore.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.evaluation.chunk import Chunk
    from lvmcore.evaluation.statistics import Statistics

Measure = Callable[["Chunk"], Mapping[str, "Tensor"]]


@attrs.define(eq=False)
class Check:
    """One test of an evaluation. A plugin's that has failed once measures nothing any more."""

    component: Any
    context: int
    """C, rows of context."""
    label: str = ""
    """`dist/name` of a plugin's; nothing of the protocol's own, whose failure is that of the evaluation."""
    fault: str = ""
    """Why it was left out."""

    @property
    def letter(self) -> str:
        return self.component.letter

    @property
    def title(self) -> str:
        return getattr(self.component, "title", self.label.partition("/")[2])

    @property
    def declared(self) -> list[Declared]:
        """Its figures."""
        return [Declared(self.letter, figure) for figure in self.component.figures(self.context)]

    @property
    def counts(self) -> tuple[Count, ...]:
        return tuple(self.component.counts()) if hasattr(self.component, "counts") else ()

    def begin(self) -> Measure:
        """What measures the windows of one split, chunk by chunk; it may keep a state from one to the next."""
        started: list[Measure] = []
        places = {one.figure.name: one.column for one in self.declared}

        def measure(chunk: Chunk) -> dict[str, Tensor]:
            if self.fault:
                return {}
            try:
                if not started:
                    started.append(self.component.build())
                found = started[0](chunk)
                if self.label:
                    found = {name: _column(name, values, chunk) for name, values in found.items()}
            except (Exception, SystemExit) as problem:
                if not self.label or strict():
                    raise
                self.fault = f"test {self.letter} of {self.label} left out: {because(problem)}"
                return {}
            return {places.get(name) or self.column(name): values for name, values in found.items()}

        return measure

    def column(self, name: str) -> str:
        """The column of what it measures under a name: `unseen.rank` → `B/unseen/rank`."""
        return f"{self.letter}/{name.replace('.', '/')}"

    def has(self, column: str) -> bool:
        """Whether a column is one of its own."""
        return column.startswith(f"{self.letter}/")

    def derive(self, columns: Columns) -> None:
        """Add the columns that are made of all others, once every window is measured."""
        own = {name.partition("/")[2].replace("/", "."): held for name, held in columns.items() if self.has(name)}
        if own:
            for one in self.declared:
                if one.figure.derive:
                    columns[one.column] = one.figure.derive(own)

    def remarks(self, name: str, split: str, columns: Columns, statistics: Statistics) -> Iterable[str]:
        said = getattr(self.component, "remarks", None)
        return said(name, split, columns, statistics) if said else ()

    def count(self, count: Count, statistics: Statistics) -> int | None:
        """A number beside the figures."""
        column = self.column(count.of)
        if not count.of:
            return None
        if count.what == "windows":
            return statistics.count(column)
        if count.what == "above 0":
            return int((statistics.columns.get(column, np.zeros(0)) > 0).sum())
        return statistics.articles_without(column) + len(statistics.too_short)


def _column(name: str, values: Tensor, chunk: Chunk) -> Tensor:
    if values.shape != chunk.cos_next.shape:
        raise ValueError(f"'{name}' has the shape {tuple(values.shape)}, not {tuple(chunk.cos_next.shape)}")
    return values.float()


def checks_of(protocol: Protocol, registry: Registry, context: int, given: str = "") -> list[Check]:
    """The tests of a protocol, then every sound check of the plugins, if the protocol takes them.

    Args:
        given: an expression: checks with options of their own, in place of their defaults.

    Raises:
        LvmError: an expression that names no check, or an option that it has not.
    """
    own = [Check(test, context) for test in protocol.tests]
    if not protocol.extended:
        return own
    return own + list(plugged(registry, context, {test.letter for test in protocol.tests}, given))


def plugged(registry: Registry, context: int, taken: Iterable[str] = "ABCDE", given: str = "") -> Iterator[Check]:
    """Every registered check that has a letter of its own; any other is a fault of its plugin."""
    made = {registry.find("check", term): registry.make("check", term) for term in parse(given).terms}
    owners = dict.fromkeys(taken, "the protocol")
    for registered in registry.all("check"):
        label = f"{registered.plugin.dist}/{registered.name}"
        try:
            component = made.get(registered) or registered.component()
        except LvmError:  # its plugin is marked as broken
            continue
        if problem := shape_fault(component, context) or _taken(component.letter, owners):
            registered.plugin.fail(f"check '{registered.name}': {problem}")
            continue
        owners[component.letter] = label
        yield Check(component, context, label)


def shape_fault(component: Any, context: int) -> str:
    """What is wrong with the form of a check, or nothing."""
    letter = getattr(component, "letter", "")
    if not re.fullmatch("[A-Z]", str(letter)):
        return f"letter = 'F' … 'Z' was expected, not {letter!r}"
    try:
        figures = component.figures(context)
        measure = component.build()
    except (Exception, SystemExit) as problem:
        if strict():
            raise
        return because(problem)
    if not figures or not all(isinstance(figure, Figure) for figure in figures):
        return "figures(context) gives no lvmcore.Figure"
    return "" if callable(measure) else "build() gives nothing that can be called"


def _taken(letter: str, owners: Mapping[str, str]) -> str:
    if letter not in owners:
        return ""
    if letter in "ABCDE":
        return f"letter = 'F' … 'Z' was expected, not {letter!r}"
    return f"{owners[letter]} has the letter {letter} already"


def watched(registry: Registry, context: int) -> list[Check]:
    """The tests of the default protocol that are taken after each epoch: those with figures that the records hold."""
    checks = checks_of(attrs.evolve(protocol_of(DEFAULT, registry).protocol, extended=False), registry, context)
    return [check for check in checks if any(one.figure.key for one in check.declared)]


def best_by(registry: Registry) -> dict[str, bool]:
    """What the best weights can be chosen by, as the records call it → whether higher is better."""
    figures = [one.figure for check in watched(registry, 5) for one in check.declared if one.figure.key]
    return {"val_loss": False, **{figure.key: figure.better == "higher" for figure in figures}}


def declared_of(checks: Iterable[Check]) -> dict[str, Declared]:
    """Every figure of some tests by its key: `A.margin`."""
    return {one.key: one for check in checks for one in check.declared}
