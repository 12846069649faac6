"""Find plugins, load each so that a broken one harms nobody else, and say what became of it.

A few lines on top of pluggy, because `load_setuptools_entrypoints` silently skips a second plugin of the same
name, accepts a misspelled hook, and lets one broken plugin stop the program.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pluggy

from lvmcore import hookspecs
from lvmcore.errors import LvmError, nearest, unknown
from lvmcore.listeners import Listeners

CORE = "lvmcore"
GROUP = "lvm"


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

    @property
    def builtin(self) -> bool:
        return self.dist == CORE

    def fail(self, problem: BaseException | str) -> None:
        """Mark the plugin as broken; everything else goes on, unless LVM_STRICT=1."""
        reason = problem if isinstance(problem, str) else f"{type(problem).__name__}: {problem}"
        self.status, self.reason = "FAILED", " ".join(reason.split())
        if os.environ.get("LVM_STRICT") == "1":
            raise LvmError(
                f"plugin '{self.name}' failed: {self.reason}",
                where=self.origin,
                fix="unset LVM_STRICT to go on",
            ) from (problem if isinstance(problem, BaseException) else None)


class Plugins:
    """All plugins that were found, and the hooks of those that loaded.

    Args:
        files: single-file plugins to load besides the installed ones.
        without: names of plugins to leave out.
        only: names of the third-party plugins to load; None takes LVM_PLUGINS, or else all.
    """

    def __init__(
        self, files: Iterable[Path] = (), without: Iterable[str] = (), only: Iterable[str] | None = None
    ) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.listeners = Listeners(self.manager)
        self.found: list[Plugin] = []
        if only is None and (listed := os.environ.get("LVM_PLUGINS")) is not None:
            only = [name.strip() for name in listed.split(",") if name.strip()]
        off = set(without)
        for entry in _ordered(entry_points(group=GROUP)):
            plugin = _plugin_of(entry)
            self.found.append(plugin)
            if plugin.name in off:
                plugin.status, plugin.reason = "off", f"--no-plugin {plugin.name}"
            elif only is not None and not plugin.builtin and plugin.name not in set(only):
                plugin.status, plugin.reason = "off", "not in LVM_PLUGINS"
            else:
                self._load(plugin, entry.load)
        for file in files:
            self._load_file(file)
        if missing := off - {plugin.name for plugin in self.found}:
            names = [plugin.name for plugin in self.found]
            raise unknown("plugin", min(missing), names, where="--no-plugin", fix="lvm plugins")

    @property
    def hook(self) -> Any:
        """The hooks of all plugins, in pluggy's way: `plugins.hook.lvm_run_started(run=run)`."""
        return self.manager.hook

    @property
    def failed(self) -> list[Plugin]:
        return [plugin for plugin in self.found if plugin.status == "FAILED"]

    def results(self, hook: str) -> Iterator[tuple[Plugin, Any]]:
        """Each item that the plugins' implementations of a hook give, with its plugin."""
        # pluggy keeps the last registered first; discovery order reads better in tables
        for implementation in getattr(self.hook, hook).get_hookimpls():
            plugin = next(found for found in self.found if _key(found) == implementation.plugin_name)
            try:
                yield from [(plugin, item) for item in implementation.function() or ()]
            except Exception as problem:
                plugin.fail(problem)

    def _load_file(self, file: Path) -> None:
        if not file.is_file():
            raise LvmError("there is no such plugin file", where=f"--plugin {file}")
        plugin = Plugin(file.stem, file.name, "file", str(file))
        self.found.append(plugin)

        def load() -> ModuleType:
            spec = importlib.util.spec_from_file_location(f"lvm_plugin_file_{file.stem}", file)
            if spec is None or spec.loader is None:
                raise LvmError("a plugin file is a Python file", where=f"--plugin {file}")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module

        self._load(plugin, load)
        if plugin.status == "FAILED":  # it was asked for by name, so it must work
            raise LvmError(f"the plugin file cannot be loaded: {plugin.reason}", where=f"--plugin {file}")

    def _load(self, plugin: Plugin, load: Callable[[], Any]) -> None:
        try:
            module = load()
            self.manager.register(module, _key(plugin))
        except LvmError:
            raise
        except (Exception, SystemExit) as problem:
            self._drop(plugin)
            plugin.fail(problem)
            return
        plugin.hooks = [caller.name for caller in self.manager.get_hookcallers(module) or []]
        known = [name for name in vars(hookspecs) if name.startswith("lvm_")]
        for name in plugin.hooks:
            if name not in known:
                self._drop(plugin)
                plugin.fail(f"there is no hook '{name}'; did you mean '{nearest(name, known)}'?")
                return

    def _drop(self, plugin: Plugin) -> None:
        """Take back a registration, also one that pluggy broke off in the middle."""
        if (module := self.manager.get_plugin(_key(plugin))) is None:
            return
        for caller in list(vars(self.manager.hook).values()):
            if isinstance(caller, pluggy.HookCaller) and any(
                implementation.plugin is module for implementation in caller.get_hookimpls()
            ):
                caller._remove_plugin(module)
        self.manager._name2plugin.pop(_key(plugin), None)


def _key(plugin: Plugin) -> str:
    return f"{plugin.dist}/{plugin.name}"


def _ordered(found: Iterable[EntryPoint]) -> list[EntryPoint]:
    """Built-in plugins first, so that they own their names; then by distribution and name."""
    return sorted(found, key=lambda entry: (_dist(entry) != CORE, _dist(entry), entry.name))


def _dist(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "unknown"


def _plugin_of(entry: EntryPoint) -> Plugin:
    return Plugin(entry.name, _dist(entry), entry.dist.version if entry.dist else "?", entry.value)
