"""kind → name → component, with "did you mean".

The hooks of a kind are called when it is first asked for, so that a command which needs no architecture
imports none.
"""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import attrs

from lvmcore.components import explicit, make, options
from lvmcore.errors import LvmError, unknown
from lvmcore.expression import Term
from lvmcore.plugins import Plugin, Plugins


@attrs.frozen
class Kind:
    """One kind of component: how users write it and the hook that gives it."""

    name: str
    plural: str
    hook: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("architecture", "architectures", "lvm_architectures"),
        Kind("loss", "losses", "lvm_losses"),
        Kind("input", "inputs", "lvm_inputs"),
        Kind("sampler", "samplers", "lvm_samplers"),
        Kind("schedule", "schedules", "lvm_schedules"),
        Kind("corpus", "corpora", "lvm_corpora"),
        Kind("predictor", "predictors", "lvm_predictors"),
        Kind("check", "checks", "lvm_checks"),
        Kind("report", "reports", "lvm_reports"),
    )
}


def kind_of(text: str) -> Kind:
    """The kind of a word in singular or plural."""
    for kind in KINDS.values():
        if text.lower() in (kind.name, kind.plural):
            return kind
    raise unknown("kind", text, [*(kind.plural for kind in KINDS.values()), "variants"], where=None, fix="lvm list")


@attrs.frozen
class Registered:
    """A component under its name, with the plugin it comes from."""

    kind: str
    name: str
    component: type
    plugin: Plugin


class Registry:
    """Looks components up by kind and name, in all loaded plugins."""

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self._kinds: dict[str, list[Registered]] = {}

    def all(self, kind: str) -> list[Registered]:
        """Every component of a kind, built-in ones first, by name."""
        if kind not in self._kinds:
            self._kinds[kind] = []
            for plugin, item in self.plugins.results(KINDS[kind].hook):
                if problem := _fault(kind, item):
                    plugin.fail(f"{KINDS[kind].hook}: {problem}")
                    continue
                if any(one.plugin is plugin and one.name == item[0] for one in self._kinds[kind]):
                    plugin.fail(f"{KINDS[kind].hook}: it gives '{item[0]}' twice")
                self._kinds[kind].append(Registered(kind, item[0], item[1], plugin))
            self._kinds[kind].sort(key=lambda found: (not found.plugin.builtin, found.name))
        return self._kinds[kind]

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

    def make(self, kind: str, term: Term, *, without: frozenset[str] = frozenset(), size: str | None = None) -> Any:
        """Make the component that a term describes, its options checked.

        Args:
            without: option names that belong to the caller (a schedule's `start`), to leave aside.
            size: "toy" for the component's small preset.
        """
        found = self.find(kind, term)
        given = {key: text for key, text in term.options.items() if key not in without}
        known = options(found.component)
        if term.value is not None:
            if not known:
                raise LvmError(f"{kind} '{term.name}' takes no value", where=str(term))
            given = {known[0].name: term.value, **given}
            if known[0].name in term.options:
                raise LvmError(f"option '{known[0].name}' is given twice", where=str(term))
        lister = f"lvm show {term.name}"
        return make(found.component, given, where=str(term), lister=lister, size=size, shared=without)

    def explicit(self, kind: str, term: Term, made: Any, extra: dict[str, str] | None = None) -> Term:
        """The same term with every option written out, so that no later default changes it."""
        return Term(term.name, None, {**explicit(made), **(extra or {})}, term.dist)

    def variant_files(self) -> list[tuple[Plugin, Path]]:
        """The TOML files that plugins bring."""
        files: list[tuple[Plugin, Path]] = []
        for plugin, item in self.plugins.results("lvm_variants"):
            if isinstance(item, str | os.PathLike):
                files.append((plugin, Path(item)))
            else:
                plugin.fail(f"lvm_variants: the path of a file was expected, not {item!r}")
        return files


def _fault(kind: str, item: Any) -> str:
    """What is wrong with what a hook gave, or nothing."""
    if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
        return f"a pair (name, component class) was expected, not {item!r}"
    name, cls = item
    try:
        Term(name)
    except ValueError as problem:
        return str(problem)
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
    if kind == "input" and known and known[0].type not in (int, float):
        return f"the first option of '{name}', '{known[0].name}', is no number; its schedule multiplies it"
    return ""
