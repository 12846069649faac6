"""Every built-in component keeps every promise of its kind, through the door that third parties use."""

from __future__ import annotations

import pytest

from lvmcore.hookspecs import KINDS
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.testing.promises import ANY, PLUGIN, Case, cases, promises

REGISTRY = Registry(Plugins(only=()))
CASES = cases(REGISTRY.plugins.found, REGISTRY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_built_in(case: Case) -> None:
    if case.promise.kind not in (ANY, PLUGIN) and getattr(case.subject.component, "heavy", False):
        pytest.skip("what it needs is fetched from elsewhere")
    case.run()


def test_no_component_is_missed() -> None:
    held = {found.component for kind in KINDS for found in REGISTRY.all(kind)}
    seen = {case.subject.component for case in CASES if case.subject.found}
    assert seen == held
    assert len(held) >= 45


def test_every_kind_of_component_has_promises() -> None:
    kinds = {promise.kind for promise in promises()}
    assert kinds == {*KINDS, ANY, PLUGIN}


def test_every_promise_is_a_sentence_under_a_name_of_its_own() -> None:
    names = [(promise.kind, promise.name) for promise in promises()]
    assert len(set(names)) == len(names)
    assert all(promise.text.endswith(".") for promise in promises())
