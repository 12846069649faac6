"""Runs that an earlier lvm made are read, evaluated and compared as it did: three folders of 24 November 2026."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lvmcore import Lab

MADE = Path(__file__).with_name("made_with_0.1")
NAMES = sorted(folder.name for folder in MADE.iterdir())


def slack(path: str) -> float:
    """How far a figure may be from what another processor, or another number of threads, made of it.

    Where two rows are equally near to the last digit, a window's rank is another: one of the 22 of the smallest split.
    """
    return 1 / 22 if re.search(r"\bB\b", path) else 1e-6


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    shutil.copytree(MADE, tmp_path / "runs")
    return Lab(tmp_path / "runs", progress=False)


def numbers(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure and count of a document by its path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from numbers(value, f"{path}/{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from numbers(value, f"{path}/{number}")
    else:
        yield path, node


def test_they_are_listed_with_their_status_and_figures(lab: Lab) -> None:
    assert len(NAMES) == 3
    assert sorted(run.status for run in lab.runs) == ["collapsed", "finished", "finished"]
    assert all(run.epochs and run.evaluation and run.figures() for run in lab.runs)
    rows = lab.compare(reported=True).rows
    own = {row.run: row for row in rows if row.kind == "run" and row.protocol == "5cat"}
    assert set(own) == set(NAMES)
    assert all(None not in row.figures.values() for row in own.values())
    assert [row.protocol for row in rows if row.kind == "run"].count("5cat-2025") == 1


@pytest.mark.parametrize("name", NAMES)
def test_their_weights_get_the_figures_and_counts_that_they_got(name: str, lab: Lab) -> None:
    run = lab.run(name)
    for protocol in run.protocols:
        before = run.document_by(protocol) or {}
        after = lab.evaluate(run, protocol=protocol).document
        left_out = ("seconds", "warnings", "yardsticks")
        ours, theirs = (dict(numbers({k: v for k, v in d.items() if k not in left_out})) for d in (after, before))
        assert ours.keys() == theirs.keys()
        for path, value in theirs.items():
            expected = pytest.approx(value, abs=slack(path)) if isinstance(value, float) else value
            assert ours[path] == expected or "/why/" in path, path  # which is in words


def test_their_windows_are_paired_with_those_of_today(lab: Lab) -> None:
    old, other, _ = (lab.run(name) for name in NAMES)
    kept = lab.compare(old, other, paired=True)
    assert {one.figure for one in kept.differences} >= {"A.margin", "B.unseen.r5", "C.shuffle", "E.low.cosine"}
    shutil.copytree(old.path, lab.folder / "2999-01-01-000000-again-0000")
    again = lab.run("2999-01-01-000000-again-0000")
    lab.evaluate(again, save=True)
    for one in lab.compare(old, again, paired=True).differences:
        assert one.difference.value == pytest.approx(0, abs=slack(one.figure)), one.figure


@pytest.mark.parametrize("name", NAMES)
def test_their_record_is_a_variant_that_can_be_run_again(name: str, lab: Lab) -> None:
    record = json.loads((MADE / name / "run.json").read_text())
    assert lab.run(name).record["variant"] == record["variant"]
    assert lab.load(name).parameter_count == record["parameters"]
