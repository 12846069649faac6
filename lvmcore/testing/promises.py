"""What a component promises: one function a promise, its docstring the sentence that the documentation shows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import attrs

from lvmcore.components import options, summary
from lvmcore.errors import LvmError
from lvmcore.expression import Term
from lvmcore.hookspecs import KINDS
from lvmcore.plugins import Plugin
from lvmcore.registry import Registered, Registry
from lvmcore.testing import kinds

ANY, PLUGIN = "component", "plugin"
"""Kinds of promise besides the kinds of components: what every component keeps, and what the plugin itself does."""


class Broken(AssertionError):  # noqa: N818 – as in `raise Broken`
    """A promise that is not kept; the message says how."""


def expect(holds: Any, otherwise: str) -> None:
    """Raise `Broken` where something does not hold."""
    if not holds:
        raise Broken(otherwise)


@attrs.frozen
class Subject:
    """What is examined: a component, or a plugin as such, and the registry it stands in."""

    plugin: Plugin
    registry: Registry
    found: Registered | None = None

    @property
    def registered(self) -> Registered:
        assert self.found is not None
        return self.found

    @property
    def component(self) -> type:
        return self.registered.component

    @property
    def kind(self) -> str:
        return self.found.kind if self.found else PLUGIN

    @property
    def name(self) -> str:
        return self.found.name if self.found else self.plugin.name

    @property
    def label(self) -> str:
        """`lvm-mine/loss/huber`: unique among all subjects."""
        return f"{self.plugin.dist}/{self.kind}/{self.name}"

    @property
    def term(self) -> Term:
        """The term of an expression that names it beyond doubt."""
        return Term(self.name, dist=self.plugin.dist)

    def make(self, **given: str) -> Any:
        """The component with its small preset, if it has one."""
        return self.registry.make(self.kind, attrs.evolve(self.term, options=given), size="toy")

    def settings(self) -> Iterator[tuple[str, Any]]:
        """The small preset, then one component for each other choice of an option that is a choice."""
        yield "", self.make()
        for item in options(self.component):
            for choice in item.choices:
                if choice != item.default:
                    given = {item.name: str(choice).lower() if isinstance(choice, bool) else choice}
                    try:
                        yield f" with {item.name}={choice}", self.make(**given)
                    except LvmError:
                        continue  # the choice needs a further option beside it


@attrs.frozen
class Promise:
    """One check: for which kind, and the function that tries it."""

    kind: str
    test: Callable[[Subject], None]

    @property
    def name(self) -> str:
        return self.test.__name__

    @property
    def text(self) -> str:
        """The sentence."""
        return summary(self.test)  # pyright: ignore[reportArgumentType]


PROMISES: list[Promise] = []


def promise(kind: str) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Add a function to what a kind promises."""

    def add(test: Callable[[Subject], None]) -> Callable[[Subject], None]:
        PROMISES.append(Promise(kind, test))
        return test

    return add


def promises() -> list[Promise]:
    """Every promise of every kind."""
    for module in iter_modules(kinds.__path__, f"{kinds.__name__}."):
        import_module(module.name)
    return list(PROMISES)


@attrs.frozen
class Case:
    """One promise of one subject."""

    subject: Subject
    promise: Promise

    @property
    def name(self) -> str:
        """`lvm-mine/loss/huber::value_is_a_finite_scalar`"""
        return f"{self.subject.label}::{self.promise.name}"

    def run(self) -> None:
        """Try it.

        Raises:
            Broken: it does not hold. Whatever else is raised comes from the component.
        """
        self.promise.test(self.subject)


def cases(plugins: list[Plugin], registry: Registry) -> list[Case]:
    """Every promise of every component of some plugins, and of the plugins themselves."""
    found = [one for kind in KINDS for one in registry.all(kind)]
    cases: list[Case] = []
    for plugin in plugins:
        own = [Subject(plugin, registry, one) for one in found if one.plugin is plugin]
        for subject in (Subject(plugin, registry), *own):
            concerned = (PLUGIN,) if subject.found is None else (ANY, subject.kind)
            cases += [Case(subject, held) for held in promises() if held.kind in concerned]
    return cases


def wraps(component: Any) -> bool:
    """Whether an architecture wraps another."""
    return "inner" in inspect.signature(component.build).parameters
