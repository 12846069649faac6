"""The one grammar of the command line: `mse+dir:0.002,start=6` ⇄ terms.

    expression := term ("+" term)*
    term       := [dist "/"] name [":" value] ("," key "=" value)*

A `+` right after a digit and `e` belongs to the number: `mse:1e+3` is one term.
`parse(str(e)) == e` holds for every expression.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import attrs

from lvmcore.errors import LvmError

_NAME = r"\w[\w.-]*"
_HEAD = re.compile(rf"(?:(?P<dist>{_NAME})/)?(?P<name>{_NAME})(?::(?P<value>.*))?", re.DOTALL)
_PLUS = re.compile(r"(?<![0-9][eE])\+")
_VALUE = re.compile(r"(?:[^\s,+]|(?<=[0-9][eE])\+)+")
_DANGLING = re.compile(r"[0-9][eE]$")
_GRAMMAR = "name[:value][,key=value …] joined by +, for example mse+dir:0.002,start=6"


def _check(pattern: str | re.Pattern[str], what: str) -> Any:
    def validate(term: object, attribute: object, text: str | None) -> None:
        if text is None:
            return
        if not re.fullmatch(pattern, text):
            raise ValueError(f"'{text}' is no {what}")
        if _DANGLING.search(text):
            raise ValueError(f"'{text}' ends in a digit and e, so that a following + would join it")

    return validate


def _check_options(term: object, attribute: object, options: dict[str, str]) -> None:
    for key, value in options.items():
        _check(_NAME, "option name")(term, attribute, key)
        _check(_VALUE, "value (no space, comma or plus)")(term, attribute, value)


@attrs.frozen
class Term:
    """One `dist/name:value,key=value` of an expression. All values are text; components give them types."""

    name: str = attrs.field(validator=_check(_NAME, "name"))
    value: str | None = attrs.field(default=None, validator=_check(_VALUE, "value (no space, comma or plus)"))
    options: dict[str, str] = attrs.field(factory=dict, validator=_check_options)
    dist: str | None = attrs.field(default=None, validator=_check(_NAME, "distribution name"))

    def __str__(self) -> str:
        head = f"{self.dist}/{self.name}" if self.dist else self.name
        value = "" if self.value is None else f":{self.value}"
        return head + value + "".join(f",{key}={text}" for key, text in self.options.items())


@attrs.frozen
class Expression:
    """Terms joined by `+`; empty for the empty string."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return "+".join(map(str, self.terms))

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each term, one that stands twice as `roll` and `roll#2`."""
        seen: Counter[str] = Counter()
        found = []
        for term in self.terms:
            seen[term.name] += 1
            found.append(term.name if seen[term.name] == 1 else f"{term.name}#{seen[term.name]}")
        return tuple(found)


def parse(text: str) -> Expression:
    """Read an expression.

    Raises:
        LvmError: where the text breaks the grammar, naming the term.
    """
    if not text.strip():
        return Expression()
    return Expression(tuple(_parse_term(part.strip(), text) for part in _PLUS.split(text)))


def parse_one(text: str) -> Term:
    """Read an expression that must be a single term, as for a sampler, a schedule or a corpus."""
    terms = parse(text).terms
    if len(terms) != 1:
        raise LvmError(
            f"one term was expected, not {len(terms)}",
            where=f"'{text}'",
            expected="name[:value][,key=value …]",
        )
    return terms[0]


def _parse_term(text: str, whole: str) -> Term:
    def error(what: str) -> LvmError:
        place = f"'{whole}'" if text == whole else f"term '{text}' of '{whole}'"
        return LvmError(what, where=place, expected=_GRAMMAR)

    if not text:
        raise error("an empty term in the expression")
    head, *pairs = text.split(",")
    match = _HEAD.fullmatch(head)
    if match is None:
        raise error(f"'{head}' is no name, nor name:value")
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise error(f"'{pair}' is no key=value")
        if key in options:
            raise error(f"option '{key}' stands twice")
        options[key] = value
    try:
        return Term(match["name"], match["value"], options, match["dist"])
    except ValueError as problem:
        raise error(str(problem)) from None
