"""The tables of the documentation leave nothing out: a new kind, figure or hook stands there without an edit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from lvmcore.hookspecs import KINDS
from lvmcore.report.columns import declared_in

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(DOCS))
    yield import_module("lvm_tables")
    del sys.modules["lvm_tables"]


def test_every_kind_has_a_section_with_its_contract_and_its_components(tables: Any) -> None:
    sections = tables.kind_sections().split("## ")[1:]
    assert [section.splitlines()[0].lower() for section in sections] == [kind.plural for kind in KINDS.values()]
    for kind, section in zip(KINDS.values(), sections, strict=True):
        assert len(section.splitlines()[2]) > 10, kind.name
        found = tables.registry().all(kind.name)
        assert all(f"**`{one.name}`**" in section for one in found) if found else "None is built in." in section
        assert ("`ramp`" in section) == bool(kind.shared)


def test_every_declared_figure_has_a_row(tables: Any) -> None:
    rows = tables.figures().splitlines()[2:]
    declared = declared_in({}, tables.registry())
    assert [row.split("`")[1] for row in rows] == list(declared)
    assert [row.endswith("| yes |") for row in rows] == [one.figure.compared for one in declared.values()]


def test_hooks_that_give_and_hooks_that_listen_are_all_of_them(tables: Any) -> None:
    given, told = (text.splitlines()[2:] for text in (tables.component_hooks(), tables.listener_hooks()))
    assert len(given) == len(KINDS) + 1  # lvm_variants besides
    assert all("()" in row for row in given)
    assert len(told) == 7
    assert not any("()" in row.split("|")[1] for row in told)


def test_a_default_that_is_empty_is_not_shown(tables: Any) -> None:
    assert tables._default_and_help(click.Option(["--check"], default="", help="Checks.")) == ("", "Checks.")
