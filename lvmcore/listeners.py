"""Tell plugins what happens in a run; one that fails to listen is left out from then on, and the run goes on."""

from __future__ import annotations

import traceback
from typing import Any

import pluggy

from lvmcore.errors import because, strict


class Listeners:
    """The implementations of the hooks that a run calls.

    A tracker whose server is gone must not cost the training it was to record. LVM_STRICT=1 raises all the same.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self.manager = manager
        self.faults: dict[str, str] = {}
        """Listener → why it was left out."""

    def tell(self, hook: str, **facts: Any) -> None:
        """Call every implementation of a hook with the facts that it asks for."""
        for implementation in reversed(getattr(self.manager.hook, hook).get_hookimpls()):
            name = implementation.plugin_name
            if name in self.faults:
                continue
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
