"""Conformance checks as items of pytest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lvmcore.errors import LvmError, unknown
from lvmcore.plugins import Plugin, Plugins
from lvmcore.registry import Registry
from lvmcore.testing import promises
from lvmcore.testing.promises import Broken, Case, cases
from lvmcore.testing.pytest_plugin import SEEN


class Conformance(pytest.Collector):
    """Collects every check of the plugins that `--lvm-plugin` names."""

    def __init__(self, *, plugins: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plugins = plugins
        self.add_marker("lvm")

    def collect(self) -> Iterable[pytest.Item]:
        try:
            chosen, registry = named(self.plugins)
        except LvmError as problem:
            raise self.CollectError(str(problem)) from None
        for case in cases(chosen, registry):
            yield CheckItem.from_parent(self, name=case.name, case=case)


class CheckItem(pytest.Item):
    """One check of one component."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        self.user_properties.append((SEEN, (case.subject.plugin.dist, case.subject.label)))

    def runtest(self) -> None:
        heavy = getattr(self.case.subject.found and self.case.subject.component, "heavy", False)
        if heavy and not self.config.getoption("lvm_heavy"):
            pytest.skip("it declares itself heavy; --lvm-heavy tries it")
        self.case.run()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, Broken | LvmError):  # a sentence says more than our own traceback
            error = LvmError(str(excinfo.value), where=self.case.subject.label, expected=self.case.promise.text)
            return str(error)
        excinfo.traceback = excinfo.traceback.cut(path=promises.__file__)  # from the check on
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        # with a space: pytest reads a name that ends like the item's as a dotted one
        return self.path, None, f"{self.case.subject.label} {self.case.promise.name}"


def named(names: Iterable[str]) -> tuple[list[Plugin], Registry]:
    """The plugins of these names, distributions or files, and the registry they stand in.

    Raises:
        LvmError: there is none of a name.
    """
    files = [name for name in names if name.endswith(".py")]
    plugins = Plugins([Path(file) for file in files], forgiving=True)  # what is wrong is a check that failed
    chosen: list[Plugin] = []
    for name in names:
        of_name = [
            plugin
            for plugin in plugins.found
            if (Path(plugin.origin).resolve() == Path(name).resolve() if name in files else plugin.answers_to(name))
            and plugin not in chosen
        ]
        if not of_name and not any(plugin.answers_to(name) for plugin in chosen):
            known = {plugin.dist for plugin in plugins.found} | {plugin.name for plugin in plugins.found}
            raise unknown("plugin", name, known, where=f"--lvm-plugin {name}", fix="lvm plugins")
        chosen += of_name
    return chosen, Registry(plugins)
