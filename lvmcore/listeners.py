"""Tell plugins what happens in a run; one that fails to listen is left out from then on, and the run goes on."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from typing import Any

import pluggy

from lvmcore.errors import because, strict
from lvmcore.plugins import new_manager


class Listeners:
    """Who hears of one run, or of one evaluation outside of a run: the plugins' hooks, and listeners of its own.

    A tracker whose server is gone must not cost the training it was to record. LVM_STRICT=1 raises all the same.

    Args:
        manager: holds the plugins.
        own: objects with `@hookimpl` methods that hear of nothing else.
    """

    def __init__(self, manager: pluggy.PluginManager, own: Iterable[object] = ()) -> None:
        self._plugins, self._own = manager, new_manager()
        self.faults: dict[str, str] = {}
        """Listener → why it was left out."""
        for listener in own:
            self.add(listener)

    def add(self, listener: object) -> None:
        """Let a further object hear what follows.

        Raises:
            pluggy.PluginValidationError: a method is a hook that there is none of, or takes another argument.
        """
        self._own.register(listener, f"{type(listener).__name__}#{len(self._own.get_plugins()) + 1}")
        self._own.check_pending()

    def tell(self, hook: str, **facts: Any) -> None:
        """Call every implementation of a hook with the facts that it asks for, its own listeners' first."""
        for manager in (self._own, self._plugins):
            for implementation in reversed(getattr(manager.hook, hook).get_hookimpls()):
                if implementation.plugin_name not in self.faults:
                    self._tell(implementation, hook, facts)

    def _tell(self, implementation: pluggy.HookImpl, hook: str, facts: dict[str, Any]) -> None:
        name = implementation.plugin_name
        try:
            implementation.function(*(facts[argument] for argument in implementation.argnames))
        except (Exception, SystemExit) as problem:  # a listener may try to exit
            if strict():
                raise
            place = traceback.extract_tb(problem.__traceback__)[-1]
            self.faults[name] = (
                f"{name} failed to listen to {hook} and was left out: "
                f"{because(problem)} ({place.filename}:{place.lineno})"
            )
