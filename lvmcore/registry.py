"""kind → name → component, with "did you mean".

The hooks of a kind are called when it is first asked for, and a component that its hook names as text is imported when
it is first used, so that a command which needs no architecture imports none.
"""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import redirect_stdout
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import attrs

from lvmcore.components import explicit, make, options
from lvmcore.errors import LvmError, unknown
from lvmcore.expression import Term
from lvmcore.hookspecs import KINDS, Kind
from lvmcore.plugins import Plugin, Plugins


def kind_of(text: str) -> Kind:
    """The kind of a word in singular or plural."""
    for kind in KINDS.values():
        if text.lower() in (kind.name, kind.plural):
            return kind
    raise unknown("kind", text, [*(kind.plural for kind in KINDS.values()), "variants"], where=None, fix="lvm list")


@attrs.define(eq=False, slots=False)
class Registered:
    """A component under its name, with the plugin it comes from."""

    kind: str
    name: str
    source: type | str
    """The class, or `module:Class` as the hook gave it."""
    plugin: Plugin

    @cached_property
    def problem(self) -> str:
        """Why it can't be used: it can't be imported, or is no component. Nothing where it can."""
        try:
            with redirect_stdout(sys.stderr):  # what a plugin prints is no part of a --json document
                found = resolve_name(self.source) if isinstance(self.source, str) else self.source
            return _fault(KINDS[self.kind], self.name, found)
        except (Exception, SystemExit) as problem:
            return f"{type(problem).__name__}: {problem}"

    @property
    def component(self) -> type:
        """The class.

        Raises:
            LvmError: it has a problem; its plugin is marked as broken.
        """
        if isinstance(self.source, type):
            return self.source
        if self.problem:
            self.plugin.fail(f"{KINDS[self.kind].hook}: {self.problem}")
            raise LvmError(
                f"{self.kind} '{self.name}' cannot be used: {self.problem}", where=self.plugin.label, fix="lvm plugins"
            )
        return resolve_name(self.source)


@attrs.frozen
class Made:
    """The component that a term describes, and the options that all terms of its kind share."""

    registered: Registered
    term: Term
    component: Any
    shared: Any
    """A `Timing`, or whatever the kind declares; None where it declares none."""

    @property
    def explicit(self) -> Term:
        """The same term with every option written out, so that no later default changes it."""
        shared = explicit(self.shared) if self.shared is not None else {}
        return Term(self.term.name, None, {**explicit(self.component), **shared}, self.term.dist)


class Registry:
    """Looks components up by kind and name, in all loaded plugins."""

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self._kinds: dict[str, list[Registered]] = {}

    def all(self, kind: str) -> list[Registered]:
        """Every component of a kind, built-in ones first, by name.

        One that a hook gives as a class is sound; one that it names as text may turn out not to be when it is used.
        """
        if kind not in self._kinds:
            gathered: list[Registered] = []
            for plugin, item in self.plugins.results(KINDS[kind].hook):
                if problem := _no_pair(item):
                    plugin.fail(f"{KINDS[kind].hook}: {problem}")
                    continue
                found = Registered(kind, item[0], item[1], plugin)
                if not isinstance(found.source, str) and found.problem:
                    plugin.fail(f"{KINDS[kind].hook}: {found.problem}")
                    continue
                if any(one.plugin is plugin and one.name == found.name for one in gathered):
                    plugin.fail(f"{KINDS[kind].hook}: it gives '{found.name}' twice")
                gathered.append(found)
            self._kinds[kind] = sorted(gathered, key=lambda found: (not found.plugin.builtin, found.name))
        return self._kinds[kind]

    def examine(self, *, builtin: bool = True) -> None:
        """Import every component of every kind, which brings a broken one to light: its plugin is FAILED.

        Args:
            builtin: also those of the core, which are tested where they are made.
        """
        for kind in KINDS:
            for found in [found for found in self.all(kind) if builtin or not found.plugin.builtin]:
                if found.problem:
                    found.plugin.fail(f"{KINDS[kind].hook}: {found.problem}")
                    self._kinds[kind].remove(found)

    def find(self, kind: str, term: Term, where: str | None = None) -> Registered:
        """The component that a term names.

        Raises:
            LvmError: unknown name (with the nearest match), or two plugins that own it.
        """
        plural = KINDS[kind].plural
        owned = [found for found in self.all(kind) if found.name == term.name]
        found = [one for one in owned if term.dist in (None, one.plugin.dist)]
        if len(found) == 1:
            return found[0]
        if not found:
            error = unknown(
                kind,
                f"{term.dist}/{term.name}" if term.dist else term.name,
                [*{one.name for one in self.all(kind)}, *(f"{one.plugin.dist}/{one.name}" for one in owned)],
                where=where or str(term),
                fix=f"lvm list {plural}",
            )
            error.fix = f"{error.fix}{self.plugins.absent()}"
            raise error
        dists = list(dict.fromkeys(one.plugin.dist for one in found))
        owners = list(dict.fromkeys(one.plugin.label for one in found))
        ways = " or ".join(f"{dist}/{term.name}" for dist in dists)
        raise LvmError(
            f"{kind} '{term.name}' is given by {len(dists)} plugins: {', '.join(dists)}"
            if len(dists) > 1
            else f"{kind} '{term.name}' is given {len(found)} times by {' and '.join(owners)}",
            where=where or str(term),
            expected=f"one owner: write {ways}" if len(dists) > 1 else "one component of a name",
            fix=f"leave one out with --no-plugin {self._shortest(found[-1].plugin)}",
        )

    def key(self, found: Registered) -> str:
        """What it goes by among all of its kind: its name, or `dist/name` where an earlier one has that."""
        first = next(one for one in self.all(found.kind) if one.name == found.name)
        return found.name if found is first else f"{found.plugin.dist}/{found.name}"

    def _shortest(self, plugin: Plugin) -> str:
        """The shortest name that means this plugin and no other."""
        names = (plugin.name, plugin.dist, plugin.label)
        return next(n for n in names if sum(one.answers_to(n) for one in self.plugins.found) == 1 or n == plugin.label)

    def resolve(self, kind: str, term: Term, *, size: str | None = None) -> Made:
        """Make the component that a term describes, and the options its kind shares, all of them checked.

        Args:
            size: "toy" for the component's small preset.
        """
        found, shared = self.find(kind, term), KINDS[kind].shared
        common = {item.name for item in options(shared)} if shared else set()
        own = {key: text for key, text in term.options.items() if key not in common}
        timed = {key: text for key, text in term.options.items() if key in common}
        if term.value is not None:
            known = [shared.value] if shared and shared.value else [item.name for item in options(found.component)]
            if not known:
                raise LvmError(f"{kind} '{term.name}' takes no value", where=str(term))
            if known[0] in term.options:
                raise LvmError(f"option '{known[0]}' is given twice", where=str(term))
            (timed if known[0] in common else own)[known[0]] = term.value
        lister = f"lvm show {term.name}"
        component = make(found.component, own, where=str(term), lister=lister, size=size, also=common)
        return Made(found, term, component, shared.of(timed, str(term)) if shared else None)

    def make(self, kind: str, term: Term, *, size: str | None = None) -> Any:
        """The component that a term describes."""
        return self.resolve(kind, term, size=size).component

    def variant_files(self) -> list[tuple[Plugin, Path]]:
        """The TOML files that plugins bring."""
        files: list[tuple[Plugin, Path]] = []
        for plugin, item in self.plugins.results("lvm_variants"):
            if isinstance(item, str | os.PathLike):
                files.append((plugin, Path(item)))
            else:
                plugin.fail(f"lvm_variants: the path of a file was expected, not {item!r}")
        return files


def _no_pair(item: Any) -> str:
    """What is wrong with the form of what a hook gave, or nothing."""
    if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
        return f"a pair (name, component class) was expected, not {item!r}"
    try:
        Term(item[0])
    except ValueError as problem:
        return str(problem)
    return ""


def _fault(kind: Kind, name: str, cls: Any) -> str:
    """What is wrong with a component class, or nothing."""
    if not (inspect.isclass(cls) and attrs.has(cls)):
        return f"'{name}' is no component class; decorate it with @lvmcore.component"
    if not callable(getattr(cls, "build", None)):
        return f"'{name}' has no method build"
    try:
        known = options(cls)
    except Exception as problem:
        return f"the types of the options of '{name}' cannot be read: {problem}"
    try:
        cls()
    except Exception as problem:
        return f"the defaults of '{name}' are not valid: {problem.args[0] if problem.args else problem}"
    if kind.scaled and known and known[0].type not in (int, float):
        return f"the first option of '{name}', '{known[0].name}', is no number; its schedule multiplies it"
    return ""
