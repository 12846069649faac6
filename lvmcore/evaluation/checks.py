"""Tests that plugins add to the evaluation, each under a letter of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs
from torch import Tensor

from lvmcore.errors import LvmError
from lvmcore.evaluation.chunk import Chunk
from lvmcore.evaluation.statistics import Figure, Statistics
from lvmcore.registry import Registry


@attrs.frozen(eq=False)
class Check:
    """One further test: its columns stand under its letter."""

    letter: str
    test: Callable[[Chunk], Mapping[str, Tensor]]
    source: type

    def measure(self, chunk: Chunk) -> dict[str, Tensor]:
        return {f"{self.letter}/{name}": values for name, values in self.test(chunk).items()}


def checks_of(registry: Registry) -> list[Check]:
    """Every registered check.

    Raises:
        LvmError: a letter that is taken, or that is none.
    """
    found: dict[str, Check] = {}
    for registered in registry.all("check"):
        letter = getattr(registered.component, "letter", "")
        where = f"check '{registered.name}' of {registered.plugin.dist}"
        if not re.fullmatch("[F-Z]", str(letter)):
            raise LvmError(f"a check has no letter of its own: {letter!r}", where=where, expected="letter = 'F' … 'Z'")
        if letter in found:
            raise LvmError(
                f"two checks have the letter {letter}", where=where, fix=f"--no-plugin {registered.plugin.name}"
            )
        found[letter] = Check(letter, registered.component().build(), registered.component)
    return list(found.values())


def report(checks: list[Check], statistics: Statistics) -> dict[str, dict[str, Figure]]:
    """letter → name → figure."""
    return {
        check.letter: {
            name.partition("/")[2]: statistics.figure(name)
            for name in statistics.columns
            if name.startswith(f"{check.letter}/")
        }
        for check in checks
    }
