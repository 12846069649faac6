"""What pytest loads: `--lvm-plugin NAME`, one item for each check of each component, and a line that counts them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

SEEN = "lvm"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lvm", "lvm: conformance of plugins")
    group.addoption(
        "--lvm-plugin",
        action="append",
        default=[],
        metavar="NAME",
        help="hold a plugin to what lvm expects: a distribution, an entry point, or a FILE.py; may be repeated",
    )
    group.addoption(
        "--lvm-heavy", action="store_true", help="also build the corpora that declare themselves heavy = True"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lvm: a conformance check of an lvm plugin")


@pytest.hookimpl(tryfirst=True)  # so that -k and -m choose among these items, too
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    if not (names := config.getoption("lvm_plugin")):
        return
    from lvmcore.testing.items import Conformance

    collector = Conformance.from_parent(session, name="lvm", nodeid="lvm", plugins=names)
    report = session.ihook.pytest_make_collect_report(collector=collector)
    session.ihook.pytest_collectreport(report=report)  # so that "collected N items" counts them
    items += report.result or []


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    checks, components, outcomes = Counter[str](), set[tuple[str, str]](), Counter[str]()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            for dist, label in _seen(report):
                checks[dist] += 1
                outcomes[outcome] += 1
                if "/plugin/" not in label:
                    components.add((dist, label))
    if checks:
        besides = "".join(f", {outcomes[name]} {name}" for name in ("failed", "skipped") if outcomes[name])
        counted = f"{_count(sum(checks.values()), 'check')} on {_count(len(components), 'component')}"
        terminalreporter.write_line(f"lvm conformance: {counted} of {', '.join(sorted(checks))}{besides}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _seen(report: Any) -> list[tuple[str, str]]:
    """The subject of an item's report; set-up and tear-down have reports of their own."""
    if getattr(report, "when", None) != "call":
        return []
    return [tuple(value) for name, value in getattr(report, "user_properties", ()) if name == SEEN]
