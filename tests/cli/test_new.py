"""lvm new plugin: what it writes installs, passes its own tests and ruff, and is used by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import Lvm

from lvmcore.hookspecs import KINDS


def shell(*command: str | Path, folder: Path, sites: tuple[Path, ...] = ()) -> str:
    """What a command prints; it must succeed. `sites` are on its import path."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sites)), "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    words = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(package: Path, site: Path) -> None:
    """As pip does, with what a machine without network has."""
    flags = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    shell("pip", "install", *flags, "--target", site, package, folder=package)


@pytest.fixture
def everything(lvm: Lvm, tmp_path: Path) -> Path:
    """One package with a component of every kind, installed in `site`."""
    lvm("new", "plugin", "all", *(word for kind in KINDS for word in (f"--{kind}", f"my-{kind}")))
    install(tmp_path / "all", tmp_path / "site")
    return tmp_path / "all"


def test_a_package_of_every_kind_installs_passes_its_tests_and_ruff_and_runs(
    everything: Path, lvm: Lvm, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    shell("ruff", "check", ".", folder=everything)
    shell("ruff", "format", "--check", ".", folder=everything)
    said = shell("pytest", folder=everything, sites=(site,))
    assert f" on {len(KINDS)} components of lvm-all\n" in said

    monkeypatch.syspath_prepend(str(site))
    (row,) = [row for row in json.loads(lvm("plugins", "--json").stdout) if row["dist"] == "lvm-all"]
    assert (row["name"], row["status"], len(row["components"])) == ("all", "ok", len(KINDS))
    words = ("--arch", "my-architecture", "--loss", "mse+my-loss:0.1", "--inputs", "my-input:0.1,ramp=2")
    words += ("--sampler", "my-sampler", "--schedule", "my-schedule", "--size", "toy", "--epochs", "2")
    run = json.loads(lvm("run", *words, "--data", small, "--json").stdout)
    assert run["status"] == "finished"
    assert "copying" in run["evaluation"]["splits"]["val"]["Z"]
    assert "my-predictor" in run["evaluation"]["yardsticks"]
    assert ": cosine " in lvm("compare", "--format", "my-report").stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_of_one_kind_is_clean_and_names_it(kind: str, lvm: Lvm, tmp_path: Path) -> None:
    lvm("new", "plugin", "one", f"--{kind}", "mine")
    package = tmp_path / "one"
    project = tomllib.loads((package / "pyproject.toml").read_text())
    assert project["project"]["name"] == "lvm-one"
    assert project["project"]["entry-points"]["lvm"] == {"one": "lvm_one"}
    shell("ruff", "check", ".", folder=package)
    shell("ruff", "format", "--check", ".", folder=package)
    assert f"def {KINDS[kind].hook}():" in (package / "lvm_one" / "__init__.py").read_text()
    assert f"| {kind} `mine` |" in (package / "README.md").read_text()
    assert not any("$" in file.read_text() for file in (package / "lvm_one").glob("*.py"))


def test_without_a_kind_it_begins_with_a_loss_of_its_name(lvm: Lvm, tmp_path: Path) -> None:
    said = lvm("new", "plugin", "lvm-plugin-sharp").stdout
    written = {str(file.relative_to(tmp_path / "lvm-plugin-sharp")) for file in tmp_path.rglob("*") if file.is_file()}
    assert written == {
        ".github/workflows/test.yml",
        ".gitignore",
        "LICENSE",
        "README.md",
        "lvm_plugin_sharp/__init__.py",
        "lvm_plugin_sharp/sharp.py",
        "pyproject.toml",
        "tests/test_sharp.py",
    }
    assert all(name in said for name in written)
    assert (
        '[("sharp", "lvm_plugin_sharp.sharp:Sharp")]'
        in (tmp_path / "lvm-plugin-sharp" / "lvm_plugin_sharp" / "__init__.py").read_text()
    )


def test_a_folder_of_one_letter_will_do(lvm: Lvm, tmp_path: Path) -> None:
    lvm("new", "plugin", "x", "--loss", "foo")
    assert tomllib.loads((tmp_path / "x" / "pyproject.toml").read_text())["project"]["name"] == "lvm-x"
    assert (tmp_path / "x" / "lvm_x" / "foo.py").is_file()


def test_nothing_is_overwritten(lvm: Lvm, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my notes\n")
    said = lvm("new", "plugin", "mine", status=2).stderr
    assert said.startswith("lvm: nothing was written: there is already mine/README.md\n  where: mine\n")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["README.md"]
    assert (tmp_path / "mine" / "README.md").read_text() == "my notes\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mine", "--loss", "mse"), "lvmcore gives a loss 'mse' already"),
        (("mine", "--loss", "class"), "'class' is no name for a module"),
        (("mine", "--loss", "a b"), "'a b' is no name for a module"),
        (("mine", "--loss", "one", "--input", "one"), "two components are named 'one'"),
        (("1234",), "'1234' is no name for a package"),
        (("mine", "--los", "x"), "No such option"),
    ],
)
def test_a_name_that_cannot_be_is_a_mistake_and_nothing_is_written(
    words: tuple[str, ...], said: str, lvm: Lvm, tmp_path: Path
) -> None:
    assert said in lvm("new", "plugin", *words, status=2).stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("begun", [False, True])
def test_a_package_that_the_disk_does_not_take_is_not_there_at_all(
    begun: bool, lvm: Lvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "deep" / "lvm-mine"
    if begun:
        mine.mkdir(parents=True)
        (mine / "notes").write_text("mine")
    before, left = set(tmp_path.rglob("*")), iter(range(5))

    def fsync(handle: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    said = lvm("new", "plugin", mine, status=3).stderr
    assert "a file cannot be written: No space left on device" in said
    assert set(tmp_path.rglob("*")) == before
