"""Tests that plugins add to the evaluation, each under a letter of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs
from torch import Tensor

from lvmcore.errors import because, strict
from lvmcore.evaluation.chunk import Chunk
from lvmcore.evaluation.statistics import Figure, Statistics
from lvmcore.registry import Registry


@attrs.define(eq=False)
class Check:
    """One further test: its columns stand under its letter. Once it has failed it measures nothing any more."""

    letter: str
    label: str
    test: Callable[[Chunk], Mapping[str, Tensor]]
    source: type
    fault: str = ""
    """Why it was left out."""

    def measure(self, chunk: Chunk) -> dict[str, Tensor]:
        if self.fault:
            return {}
        try:
            return {f"{self.letter}/{name}": _column(values, chunk) for name, values in self.test(chunk).items()}
        except (Exception, SystemExit) as problem:
            if strict():
                raise
            self.fault = f"test {self.letter} of {self.label} left out: {because(problem)}"
            return {}

    def has(self, column: str) -> bool:
        """Whether a column is one of its own."""
        return column.startswith(f"{self.letter}/")


def _column(values: Tensor, chunk: Chunk) -> Tensor:
    if values.shape != chunk.cos_next.shape:
        raise ValueError(f"a figure has the shape {tuple(values.shape)}, not {tuple(chunk.cos_next.shape)}")
    return values.float()


def checks_of(registry: Registry) -> list[Check]:
    """Every registered check that has a letter of its own; any other is a fault of its plugin."""
    found: dict[str, Check] = {}
    for registered in registry.all("check"):
        letter = getattr(registered.component, "letter", "")
        label = f"{registered.plugin.dist}/{registered.name}"
        if not re.fullmatch("[F-Z]", str(letter)):
            registered.plugin.fail(f"check '{registered.name}': letter = 'F' … 'Z' was expected, not {letter!r}")
        elif letter in found:
            registered.plugin.fail(f"check '{registered.name}': {found[letter].label} has the letter {letter} already")
        else:
            try:
                test = registered.component().build()
            except (Exception, SystemExit) as problem:
                registered.plugin.fail(f"check '{registered.name}': {because(problem)}")
            else:
                found[letter] = Check(letter, label, test, registered.component)
    return list(found.values())


def report(checks: list[Check], statistics: Mapping[str, Statistics]) -> dict[str, dict[str, dict[str, Figure]]]:
    """split → letter → name → figure: on every split the same names, null where a split lacks one."""
    columns = list(dict.fromkeys(name for found in statistics.values() for name in found.columns))
    return {
        split: {
            check.letter: {name.partition("/")[2]: found.figure(name) for name in columns if check.has(name)}
            for check in checks
        }
        for split, found in statistics.items()
    }
