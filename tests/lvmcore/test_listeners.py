"""Who hears of a run: every plugin, and the listeners of this run alone; a fault counts in its run only."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
import pytest

from lvmcore import hookimpl
from lvmcore.listeners import Listeners
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.toolkit import Lab


class Hears:
    """Notes the runs whose epochs it hears of."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    @hookimpl
    def lvm_epoch_finished(self, run: Run) -> None:
        self.runs.append(run.path.name)


class FailsOnce(Hears):
    """A tracker whose server is away the first time."""

    @hookimpl
    def lvm_run_started(self, run: Run) -> None:
        self.runs.append(run.path.name)
        if len(self.runs) == 1:
            raise ConnectionError("no server")


@pytest.fixture
def registry() -> Registry:
    """One of its own: these tests put plugins into it."""
    return Registry(Plugins(only=()))


@pytest.fixture
def carry_out(tmp_path: Path, small: Path, registry: Registry) -> Any:
    """Carries out an experiment of one epoch, and gives its run."""
    lab = Lab(tmp_path / "runs", progress=False)
    lab.registry = registry

    def carry_out(*own: object) -> Run:
        return lab.train(arch="amn", data=str(small), epochs=1, size="toy", listeners=own)

    return carry_out


def test_a_listener_that_failed_in_one_run_hears_the_next(carry_out: Any, registry: Registry) -> None:
    plugin = FailsOnce()
    registry.plugins.manager.register(plugin, "far/tracker")
    first, second = carry_out(), carry_out()
    assert plugin.runs == [first.path.name, second.path.name, second.path.name]
    (fault,) = json.loads((first.path / "run.json").read_text())["warnings"]
    assert fault.startswith("far/tracker failed to listen to lvm_run_started and was left out: ConnectionError")
    assert json.loads((second.path / "run.json").read_text())["warnings"] == []


def test_a_listener_of_one_run_hears_no_other(carry_out: Any) -> None:
    one, other = Hears(), Hears()
    first, second, _ = carry_out(one), carry_out(other), carry_out()
    assert (one.runs, other.runs) == ([first.path.name], [second.path.name])


def test_listeners_of_one_class_are_told_apart(registry: Registry) -> None:
    fails, *hear = [FailsOnce(), Hears(), Hears(), FailsOnce()]
    hear[-1].runs.append("before")
    listeners = Listeners(registry.plugins.manager, [fails, *hear])
    run = type("Run", (), {"path": Path("one")})()
    listeners.tell("lvm_run_started", run=run)
    listeners.tell("lvm_epoch_finished", run=run, record={})
    assert [listener.runs for listener in (fails, *hear)] == [["one"], ["one"], ["one"], ["before", "one", "one"]]
    (fault,) = listeners.faults.values()
    assert fault.startswith("FailsOnce#1 failed to listen to lvm_run_started")


def test_plugins_and_own_listeners_get_only_the_facts_that_they_ask_for(registry: Registry) -> None:
    told: list[object] = []
    plugin = ModuleType("plugin")
    plugin.lvm_step_finished = hookimpl(lambda step: told.append(step))  # pyright: ignore[reportAttributeAccessIssue]
    registry.plugins.manager.register(plugin, "far/plugin")

    class Own:
        @hookimpl
        def lvm_step_finished(self, terms: dict[str, float], run: str) -> None:
            told.append((terms, run))

    Listeners(registry.plugins.manager, [Own()]).tell("lvm_step_finished", run="r", step=3, terms={"mse": 1.0})
    assert told == [({"mse": 1.0}, "r"), 3]


def test_a_listener_for_a_hook_that_there_is_none_of_is_refused(registry: Registry) -> None:
    class Misspelt:
        @hookimpl
        def lvm_epoch_finnished(self) -> None: ...

    with pytest.raises(pluggy.PluginValidationError, match="lvm_epoch_finnished"):
        Listeners(registry.plugins.manager, [Misspelt()])
