"""Installed plugins of which each is broken in its own way: the program runs, and says of each what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wheels import Wheel, loss

HOOK = "from lvmcore import hookimpl\n\n@hookimpl\n"
HUNGRY = "from lvmcore import LvmError\nraise LvmError('not today', fix='wait')\n"

FAULTS: dict[str, tuple[Wheel, str]] = {
    "raises on import": (Wheel("lvm-raises", "raise RuntimeError('bad day')"), "RuntimeError: bad day"),
    "raises the program's own error": (Wheel("lvm-hungry", HUNGRY), "LvmError: not today"),
    "exits on import": (Wheel("lvm-exits", "raise SystemExit(0)"), "SystemExit: 0"),
    "needs a missing package": (Wheel("lvm-needy", "import no_such_package"), "No module named 'no_such_package'"),
    "names a module that is not there": (
        Wheel("lvm-absent", "", points_to="no_such_module"),
        "No module named 'no_such_module'",
    ),
    "has a misspelled hook": (
        Wheel("lvm-misspelt", HOOK + "def lvm_loses():\n    return []\n"),
        "there is no hook 'lvm_loses'; did you mean 'lvm_losses'?",
    ),
    "has a hook of another signature": (
        Wheel("lvm-greedy", HOOK + "def lvm_run_started(run, corpus):\n    pass\n"),
        "corpus",
    ),
    "has a hook without its mark": (
        Wheel("lvm-unmarked", "def lvm_losses():\n    return []\n"),
        "'lvm_losses' is no hook without @hookimpl above it",
    ),
    "has no hook": (Wheel("lvm-empty", "x = 1"), "it has no function with @hookimpl above it"),
    "has a hook that raises": (Wheel("lvm-late", HOOK + "def lvm_losses():\n    return 1 / 0\n"), "ZeroDivisionError"),
    "gives a name twice": (Wheel("lvm-twice", loss("twice", "twice")), "it gives 'twice' twice"),
    "gives what is no component": (
        Wheel("lvm-plain", loss("plain").replace("@component\n", "")),
        "'plain' is no component class; decorate it with @lvmcore.component",
    ),
    "gives what cannot be built": (Wheel("lvm-unbuilt", loss("unbuilt").replace("build", "make")), "no method build"),
    "has a default that its own validator rejects": (
        Wheel("lvm-invalid", loss("invalid", validator="__import__('attrs').validators.gt(3)")),
        "the defaults of 'invalid' are not valid: 'shift' must be > 3: 1.0",
    ),
    "has an option of an unknown type": (
        Wheel("lvm-untyped", "from __future__ import annotations\n" + loss("untyped").replace("float", "Nowhere")),
        "the types of the options of 'untyped' cannot be read: name 'Nowhere' is not defined",
    ),
    "needs a newer core": (
        Wheel("lvm-newer", loss("newer"), requires=("lvmcore>=99.1,<100",)),
        "it needs lvmcore>=99.1,<100",
    ),
    "needs an older core": (Wheel("lvm-older", loss("older"), requires=("lvmcore (<0.1)",)), "it needs lvmcore<0.1"),
}
GOOD = [
    Wheel("lvm-good", loss("good"), requires=("lvmcore>=0.1,<1", "lvmcore[extra]>=99; extra == 'x'")),
    Wheel("lvm-noisy", "print('hello from a plugin')\n" + loss("noisy")),
    Wheel("lvm-shadow", loss("mse")),
    Wheel("lvm-one", loss("shared", "first"), entry="losses"),
    Wheel("lvm-two", loss("shared", "second"), entry="losses"),
]

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the import path in which all of them are installed."""
    folder = tmp_path_factory.mktemp("site")
    for wheel in [*GOOD, *(wheel for wheel, _ in FAULTS.values())]:
        wheel.install(folder)
    return folder


@pytest.fixture(scope="module")
def program(site: Path) -> Program:
    """Runs the program in a process of its own that finds them."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "400", **environment}
        command = [sys.executable, "-m", "lvmcore", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=site, env=env)
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def rows(program: Program) -> list[dict[str, Any]]:
    """What `lvm plugins --json` says of all of them, in one document on standard output."""
    return json.loads(program("plugins", "--json").stdout)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_plugin_is_a_row_with_its_reason(fault: str, rows: list[dict[str, Any]]) -> None:
    wheel, reason = FAULTS[fault]
    (row,) = [row for row in rows if row["dist"] == wheel.dist]
    assert row["status"] == "FAILED"
    assert reason in row["reason"]


def test_the_others_are_not_harmed(rows: list[dict[str, Any]]) -> None:
    fine = {row["dist"]: set(row["components"]) for row in rows if row["status"] == "ok" and row["dist"] != "lvmcore"}
    assert fine == {
        "lvm-good": {"good"},
        "lvm-noisy": {"noisy"},
        "lvm-shadow": {"mse"},
        "lvm-one": {"shared", "first"},
        "lvm-two": {"shared", "second"},
    }
    assert all(row["status"] == "ok" for row in rows if row["dist"] == "lvmcore")


def test_the_table_shows_each_reason(program: Program) -> None:
    said = program("plugins").stdout
    for wheel, reason in FAULTS.values():
        (line,) = [line for line in said.splitlines() if wheel.dist in line.split()]
        assert "FAILED: " in line
        assert reason in line


def test_one_process_answers_every_look_up(site: Path) -> None:
    """Look-ups by name, dist/name and after --no-plugin, in one process for speed."""
    code = """
import json, sys
from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

def look(text, without=(), only=None):
    try:
        found = Registry(Plugins(without=without, only=only)).find("loss", parse_one(text))
        return found.plugin.label
    except LvmError as problem:
        return str(problem)

said = {
    "nowhere": look("nowhere"),
    "twice": look("twice"),
    "mse": look("mse"),
    "lvmcore/mse": look("lvmcore/mse"),
    "lvm-shadow/mse": look("lvm-shadow/mse"),
    "shared": look("shared"),
    "lvm-two/shared": look("lvm-two/shared"),
    "shared without lvm-two": look("shared", ["lvm-two"]),
    "shared without lvm-two/losses": look("shared", ["lvm_two/losses"]),
    "first without lvm-one": look("first", ["lvm-one"]),
    "mse alone": look("mse", only=[]),
    "good of some": look("good", only=["lvm-good"]),
    "first of some": look("first", only=["lvm-good"]),
}
json.dump(said, sys.__stdout__)
"""
    env = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    said = json.loads(done.stdout)
    assert "lvm-raises/lvm-raises (RuntimeError: bad day)" in said["nowhere"]
    assert "lvm-newer/lvm-newer (it needs lvmcore>=99.1" in said["nowhere"]
    assert "loss 'twice' is given 2 times by lvm-twice/lvm-twice" in said["twice"]
    assert "expected: one owner: write lvmcore/mse or lvm-shadow/mse" in said["mse"]
    assert "--no-plugin lvm-shadow" in said["mse"]
    assert said["lvmcore/mse"] == "lvmcore/losses"
    assert said["lvm-shadow/mse"] == "lvm-shadow/lvm-shadow"
    assert "given by 2 plugins: lvm-one, lvm-two" in said["shared"]
    assert "--no-plugin lvm-two" in said["shared"]
    assert said["lvm-two/shared"] == "lvm-two/losses"
    assert said["shared without lvm-two"] == said["shared without lvm-two/losses"] == "lvm-one/losses"
    assert "these plugins are left out and may own it: lvm-one/losses" in said["first without lvm-one"]
    assert said["mse alone"] == "lvmcore/losses"
    assert said["good of some"] == "lvm-good/lvm-good"
    assert "lvm-one/losses" in said["first of some"]


def test_strict_ends_at_the_first(program: Program) -> None:
    done = program("list", "losses", LVM_STRICT="1")
    assert done.returncode == 2
    assert "lvm: plugin 'lvm-" in done.stderr
    assert "unset LVM_STRICT to go on" in done.stderr
    assert program("list", "losses", LVM_STRICT="1", LVM_PLUGINS="").returncode == 0


def test_a_wheel_that_pip_has_installed_is_used_by_name(tmp_path: Path) -> None:
    """In an environment of its own, as a user has it, that sees the packages of this one."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    paths = [entry for entry in sys.path if entry and Path(entry).is_dir() and "lib-dynload" not in entry]
    (site / "own.pth").write_text("\n".join(paths) + "\n")
    wheel = Wheel("lvm-pipped", loss("pipped")).build(tmp_path)
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    install += ["--disable-pip-version-check", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    shown = subprocess.run(
        [str(python), "-m", "lvmcore", "show", "pipped"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert shown.returncode == 0, shown.stderr
    assert "lvm-pipped" in shown.stdout
    assert "shift" in shown.stdout
