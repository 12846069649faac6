"""The kit itself: each promise catches a component that breaks it, and pytest shows what it found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lvmcore.errors import LvmError
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.testing.items import named
from lvmcore.testing.promises import ANY, PLUGIN, Broken, Case, Subject, promises

BROKEN = Path(__file__).with_name("broken_components.py")
REGISTRY = Registry(Plugins([BROKEN], only=(), forgiving=True))
PLUGIN_OF_FAULTS = REGISTRY.plugins.found[-1]


def faulty(promise_kind: str, name: str) -> Subject:
    if promise_kind == PLUGIN:
        return Subject(PLUGIN_OF_FAULTS, REGISTRY)
    kind, name = ("loss", "mse" if name == "name_is_its_own" else name) if promise_kind == ANY else (promise_kind, name)
    (found,) = [one for one in REGISTRY.all(kind) if one.name == name and one.plugin is PLUGIN_OF_FAULTS]
    return Subject(PLUGIN_OF_FAULTS, REGISTRY, found)


@pytest.mark.parametrize("promise", promises(), ids=lambda promise: f"{promise.kind}-{promise.name}")
def test_each_promise_catches_what_breaks_it(promise) -> None:
    subject = faulty(promise.kind, promise.name)
    if promise.name == "loads_and_gives_only_components":
        subject.plugin.fail("a fault")
    # what a component itself raises is a failure, too; the largest of no rows is such a case
    with pytest.raises((Broken, LvmError, ValueError)) as caught:
        Case(subject, promise).run()
    assert str(caught.value)


def run(folder: Path, *words: str | Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, words)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PYTEST_ADDOPTS": ""}
    )
    return done.returncode, done.stdout + done.stderr


def test_pytest_counts_the_checks_and_names_what_failed(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    (tmp_path / "crooked.py").write_text(
        "from lvmcore import component, hookimpl\n"
        "@component\nclass Crooked:\n    'A loss of two numbers.'\n"
        "    def build(self):\n        return lambda step: step.raw.mean(0)[:2]\n"
        "@component\nclass Straight:\n    'A loss that is fine.'\n"
        "    def build(self):\n        return lambda step: step.raw.square().mean()\n"
        "@component\nclass Rude:\n    'A loss that raises.'\n"
        "    def build(self):\n        return lambda step: step.nowhere\n"
        "@hookimpl\ndef lvm_losses():\n    return [('crooked', Crooked), ('straight', Straight), ('rude', Rude)]\n"
    )
    status, said = run(tmp_path, "--lvm-plugin", "crooked.py", "-W", "error")
    assert status == 1
    assert "collected 36 items" in said
    assert "35 checks on 3 components of crooked.py, 12 failed" in said
    assert "it gave a tensor of shape (2,); take the mean" in said
    assert "'Trial' object has no attribute 'nowhere'" in said
    assert "straight" not in said.partition("short test summary")[2]
    status, said = run(tmp_path, "--lvm-plugin", "crooked.py", "-k", "straight", "-v")
    assert status == 0
    assert "lvm::crooked.py/loss/straight::gradient_is_the_slope PASSED" in said
    assert "lvm conformance: 11 checks on 1 component of crooked.py" in said


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "from lvmcore import hookimpl\n@hookimpl\ndef lvm_losses():\n    return [('plain', dict)]\n",
            "no component class",
        ),
        ("raise RuntimeError('bad day')\n", "RuntimeError: bad day"),
    ],
)
def test_a_file_that_is_broken_is_a_check_that_failed(source: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(source)
    status, said = run(tmp_path, "--lvm-plugin", "broken.py")
    assert (status, "2 checks on 0 components of broken.py, 1 failed" in said) == (1, True), said
    assert "it is FAILED: " in said
    assert reason in said


def test_a_plugin_that_is_not_there_is_an_error_that_guesses(tmp_path: Path) -> None:
    status, said = run(tmp_path, "--lvm-plugin", "lvmcoer")
    assert status == 2
    assert "unknown plugin 'lvmcoer'; did you mean 'lvmcore'?" in said


def test_a_heavy_corpus_waits_to_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "big.py").write_text(
        "from typing import ClassVar\nfrom lvmcore import component, hookimpl\n"
        "@component\nclass Big:\n    'A download.'\n    heavy: ClassVar[bool] = True\n"
        "    def build(self):\n        raise RuntimeError('downloading')\n"
        "@hookimpl\ndef lvm_corpora():\n    return [('big', Big)]\n"
    )
    status, said = run(tmp_path, "--lvm-plugin", "big.py")
    assert (status, "8 skipped" in said, "downloading" in said) == (0, True, False)


def test_a_suite_that_has_nothing_to_do_with_lvm_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import sys\n\n\ndef test_own():\n    heavy = {'torch', 'click', 'attrs', 'lvmcore.plugins'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    status, said = run(tmp_path)
    assert status == 0, said
    assert "lvm conformance" not in said


def test_a_plugin_is_named_by_its_entry_its_distribution_or_its_file() -> None:
    by_dist, _ = named(["lvmcore"])
    by_entry, _ = named(["losses", "inputs"])
    by_file, registry = named([str(BROKEN)])
    assert {plugin.dist for plugin in by_dist} == {"lvmcore"}
    assert [plugin.name for plugin in by_entry] == ["losses", "inputs"]
    assert by_file == [registry.plugins.found[-1]]
