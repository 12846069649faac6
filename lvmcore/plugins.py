"""Find plugins, load each so that a broken one harms nobody else, and say what became of it.

A few lines on top of pluggy, because `load_setuptools_entrypoints` silently skips a second plugin of the same
name, accepts a misspelled hook, and lets one broken plugin stop the program.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pluggy

from lvmcore import hookspecs
from lvmcore.errors import LvmError, nearest, strict, unknown
from lvmcore.requirements import unmet

CORE = "lvmcore"
GROUP = "lvm"
FILE = "file"
"""Stands for the version of a plugin that is one file."""


def new_manager() -> pluggy.PluginManager:
    """A manager that knows every hook and has no plugin yet."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    return manager


@attrs.define
class Plugin:
    """One plugin module: where it comes from and what became of it."""

    name: str
    dist: str
    version: str
    origin: str
    status: str = "ok"
    """ok, FAILED or off"""
    reason: str = ""
    hooks: list[str] = attrs.field(factory=list)
    required: bool = False
    """Whether it was asked for by name, so that a fault of it ends the command."""

    @property
    def builtin(self) -> bool:
        return self.dist == CORE

    @property
    def is_file(self) -> bool:
        """Whether it is one file, named by --plugin."""
        return self.version == FILE

    @property
    def label(self) -> str:
        """`dist/name`, which no other plugin has."""
        return f"{self.dist}/{self.name}"

    def answers_to(self, name: str) -> bool:
        """Whether a user who writes this means it: its name, its distribution, or `dist/name`."""
        return _same(name) in (_same(self.name), _same(self.dist), _same(self.label))

    def fail(self, problem: BaseException | str) -> None:
        """Mark the plugin as broken; everything else goes on, unless it is required or LVM_STRICT=1.

        Raises:
            LvmError: the plugin is required, or LVM_STRICT=1.
        """
        reason = problem if isinstance(problem, str) else f"{type(problem).__name__}: {problem}"
        if self.status != "FAILED":  # what went wrong first is what to mend first
            self.status, self.reason = "FAILED", " ".join(reason.split())
        cause = problem if isinstance(problem, BaseException) else None
        if self.required:
            what = f"the plugin file cannot be loaded: {self.reason}"
            raise LvmError(what, where=f"--plugin {self.origin}") from cause
        if strict():
            what = f"plugin '{self.name}' failed: {self.reason}"
            raise LvmError(what, where=self.origin, fix="unset LVM_STRICT to go on") from cause


class Plugins:
    """All plugins that were found, and the hooks of those that loaded.

    Args:
        files: single-file plugins to load besides the installed ones.
        without: names of plugins to leave out.
        only: names of the third-party plugins to load; None takes LVM_PLUGINS, or else all.
        forgiving: a file that is broken is a plugin that failed, as an installed one is, and ends nothing.

    Raises:
        LvmError: a file is not there or cannot be loaded, or there is nothing to leave out.
    """

    def __init__(
        self,
        files: Iterable[Path] = (),
        without: Iterable[str] = (),
        only: Iterable[str] | None = None,
        *,
        forgiving: bool = False,
    ) -> None:
        self.manager = new_manager()
        self.found: list[Plugin] = []
        if only is None and (listed := os.environ.get("LVM_PLUGINS")) is not None:
            only = [name.strip() for name in listed.split(",") if name.strip()]
        without = list(without)
        only = None if only is None else list(only)
        for entry in _ordered(entry_points(group=GROUP)):
            plugin = _plugin_of(entry)
            self.found.append(plugin)
            if left_out := next(filter(plugin.answers_to, without), None):
                plugin.status, plugin.reason = "off", f"--no-plugin {left_out}"
            elif only is not None and not plugin.builtin and not any(map(plugin.answers_to, only)):
                plugin.status, plugin.reason = "off", "not in LVM_PLUGINS"
            elif not plugin.builtin and entry.dist and (reason := unmet(entry.dist, CORE)):
                plugin.fail(reason)
            else:
                self._load(plugin, entry.load)
        named: dict[Path, Path] = {}
        for file in files:
            named.setdefault(file.resolve(), file)  # one that is named twice is one plugin
        for file in named.values():
            self._load_file(file, required=not forgiving)
        for name in without:
            if not any(plugin.answers_to(name) for plugin in self.found):
                names = {known for plugin in self.found for known in (plugin.name, plugin.dist)}
                raise unknown("plugin", name, names, where=f"--no-plugin {name}", fix="lvm plugins")

    @property
    def hook(self) -> Any:
        """The hooks of all plugins, in pluggy's way: `plugins.hook.lvm_run_started(run=run)`."""
        return self.manager.hook

    @property
    def failed(self) -> list[Plugin]:
        return [plugin for plugin in self.found if plugin.status == "FAILED"]

    def absent(self) -> str:
        """Who may own a name that nobody gives: to stand behind what an error advises."""
        said = ""
        if self.failed:
            names = ", ".join(f"{plugin.label} ({plugin.reason})" for plugin in self.failed)
            said += f"; these plugins failed to load and may own it: {names}"
        if off := [plugin.label for plugin in self.found if plugin.status == "off"]:
            said += f"; these plugins are left out and may own it: {', '.join(off)}"
        return said

    def results(self, hook: str) -> Iterator[tuple[Plugin, Any]]:
        """Each item that the plugins' implementations of a hook give, with its plugin."""
        # pluggy keeps the last registered first; discovery order reads better in tables
        for implementation in getattr(self.hook, hook).get_hookimpls():
            plugin = next(found for found in self.found if found.label == implementation.plugin_name)
            try:
                with redirect_stdout(sys.stderr):  # what a plugin prints is no part of a --json document
                    items = list(implementation.function() or ())
            except (Exception, SystemExit) as problem:
                plugin.fail(problem)
                continue
            yield from [(plugin, item) for item in items]

    def _load_file(self, file: Path, required: bool) -> None:
        if not file.is_file():
            raise LvmError("there is no such plugin file", where=f"--plugin {file}")
        plugin = Plugin(file.stem, self._dist_of(file), FILE, str(file), required=required)
        self.found.append(plugin)

        def load() -> ModuleType:
            spec = importlib.util.spec_from_file_location(_module_name(file), file)
            if spec is None or spec.loader is None:
                raise LvmError("a plugin file is a Python file", where=f"--plugin {file}")
            module = importlib.util.module_from_spec(spec)
            sys.modules[module.__name__] = module  # where annotations that are text are looked up
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[module.__name__]
                raise
            return module

        self._load(plugin, load)

    def _dist_of(self, file: Path) -> str:
        """What stands for the distribution of a file: its name, with as many folders before it as tell it apart."""
        taken = {plugin.dist for plugin in self.found}
        parts = file.resolve().parts[1:]
        names = [file.name, *("-".join(parts[-count:]) for count in range(2, len(parts) + 1))]
        # without what an expression has no room for, since `dist/name` must be one
        fit = (re.sub(r"[^\w.-]+|^[.-]+", "_", name) for name in names)
        return next((name for name in fit if name not in taken), _module_name(file))

    def _load(self, plugin: Plugin, load: Callable[[], Any]) -> None:
        if self.manager.has_plugin(plugin.label):
            plugin.fail(f"there is another plugin {plugin.label}")
            return
        try:
            with redirect_stdout(sys.stderr):
                module = load()
            plugin.hooks, fault = _tried(module, plugin.label)
            if not fault:
                self.manager.register(module, plugin.label)
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # not Exception: a plugin may try to exit, or to skip a test
            plugin.fail(problem)
        else:
            if fault:
                plugin.fail(fault)


def _tried(module: Any, label: str) -> tuple[list[str], str]:
    """The hooks of a plugin, and what is wrong with them, or nothing.

    pluggy registers also what is faulty, and a part of what it then refuses; so a plugin is tried where it is alone.

    Raises:
        pluggy.PluginValidationError: a hook takes an argument that there is none of.
    """
    trial = new_manager()
    trial.register(module, label)
    callers = trial.get_hookcallers(module) or []
    return [caller.name for caller in callers], _fault(module, callers)


def _fault(module: Any, callers: list[pluggy.HookCaller]) -> str:
    """What is wrong with the hooks of a plugin that is alone, or nothing."""
    known = [name for name in vars(hookspecs) if name.startswith("lvm_")]
    hooks = [caller.name for caller in callers]
    for caller in callers:
        if not caller.has_spec():
            return f"there is no hook '{caller.name}'; did you mean '{nearest(caller.name, known)}'?"
    for name, thing in vars(module).items():
        if inspect.isfunction(thing) and name in known and name not in hooks:
            return f"'{name}' is no hook without @hookimpl above it"
    for caller in callers:
        for found in caller.get_hookimpls():
            if found.wrapper or found.hookwrapper:
                return f"lvm calls hooks one by one; '{caller.name}' is a wrapper"
    return "" if hooks else "it has no function with @hookimpl above it"


def _module_name(file: Path) -> str:
    """A name for the module of a file that no other file's has."""
    place = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]
    return f"lvm_plugin_file_{file.stem}_{place}"


def _same(name: str) -> str:
    """A name as package indexes compare it: without regard to case, and to -, _ and . between words."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _ordered(found: Iterable[EntryPoint]) -> list[EntryPoint]:
    """Built-in plugins first, so that they own their names; then by distribution and name."""
    return sorted(found, key=lambda entry: (_dist(entry) != CORE, _dist(entry), entry.name))


def _dist(entry: EntryPoint) -> str:
    return (entry.dist.name if entry.dist else None) or "unknown"


def _plugin_of(entry: EntryPoint) -> Plugin:
    return Plugin(entry.name, _dist(entry), entry.dist.version if entry.dist else "?", entry.value)
