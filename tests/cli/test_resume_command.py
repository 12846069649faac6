"""lvm run --resume, --init and --save-every; and processes that are killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Lvm

from lvmcore.runs.folder import find_run

RUN = ("run", "--arch", "amn", "--size", "toy", "--epochs", "3", "--data")
STOPS = """
from lvmcore import hookimpl

@hookimpl
def lvm_epoch_started(run, epoch):
    if epoch == {epoch} and not run.record.get("resumed"):
        raise KeyboardInterrupt
"""
SOAK = Path(__file__).parents[2] / "benchmarks" / "resume_soak.py"


@pytest.fixture
def stops(tmp_path: Path) -> Path:
    file = tmp_path / "stops.py"
    file.write_text(STOPS.format(epoch=3))
    return file


def test_an_interrupted_run_says_how_to_go_on_and_does(lvm: Lvm, small: Path, stops: Path) -> None:
    said = lvm(*RUN, small, "--plugin", stops, status=2).stderr
    (folder,) = Path("runs").iterdir()
    assert said.startswith("lvm: stopped by the user in epoch 3\n")
    command = f"lvm run --resume {folder}"
    assert f"try: {command} goes on; lvm eval {folder} evaluates" in said
    assert f"   resume  {command}" in lvm("show", "latest").stdout
    shown = lvm(*command.split()[1:]).stdout
    assert "after 2 of 3 epochs" in shown
    assert "epoch  3/3" in shown
    shown = lvm("show", "latest").stdout
    assert "status  finished" in shown
    assert "UTC, after epoch 2" in shown
    assert "lvm run --resume" not in shown


def test_the_command_that_began_a_run_goes_on_with_it_too(lvm: Lvm, small: Path, stops: Path) -> None:
    words = [*RUN, small, "--plugin", stops, "--seed", "4", "--tag", "x"]
    lvm(*words, status=2)
    document = json.loads(lvm(*words, "--resume", "latest", "--json").stdout)
    assert document["status"] == "finished"
    assert document["evaluation"]
    assert len(document["resumed"]) == 1


def test_a_finished_run_is_said_to_be_and_is_no_mistake(lvm: Lvm, small: Path) -> None:
    lvm(*RUN, small)
    (folder,) = Path("runs").iterdir()
    assert f"note: {folder.name} is finished: nothing is left to do" in lvm("run", "--resume", "latest").stdout
    assert json.loads(lvm("run", "--resume", "latest", "--json").stdout)["status"] == "finished"
    assert "epoch  5/5" in lvm("run", "--resume", "latest", "--epochs", "5").stdout
    assert len(find_run("latest", Path("runs")).epochs) == 5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seed", "0"], ""),
        (["--lr", "0.01"], "--lr was 0.0005 and now is 0.01"),
        (["p1", "--seed", "7"], "the variant was 'base' and now is 'p1'; --seed was 0 and now is 7"),
        (["--dry-run"], "--dry-run makes no run, and --resume goes on with one"),
        (["--save-every", "soon"], "'soon' is no interval"),
    ],
)
def test_an_option_that_differs_is_refused(words: list[str], told: str, lvm: Lvm, small: Path, stops: Path) -> None:
    lvm(*RUN, small, "--plugin", stops, status=2)
    said = lvm("run", "--resume", "latest", *words, status=2 if told else 0).stderr
    assert told in said


@pytest.mark.parametrize("words", [["--resume", "latest"], ["--init", "latest"]])
def test_where_there_is_no_run_that_is_said(words: list[str], lvm: Lvm, small: Path) -> None:
    assert lvm(*RUN, small, *words, status=2).stderr.startswith("lvm: there is no run 'latest'")
    assert not list(Path("runs").glob("*"))


def test_an_interval_that_is_none_makes_no_run(lvm: Lvm, small: Path) -> None:
    said = lvm(*RUN, small, "--save-every", "often", status=2).stderr
    assert said.startswith("lvm: 'often' is no interval\n  where: --save-every\n  expected: such as '500 steps'")
    assert not list(Path("runs").glob("*"))


def test_a_run_begins_with_the_weights_of_another(lvm: Lvm, small: Path) -> None:
    lvm(*RUN, small, "--name", "first")
    (folder,) = Path("runs").iterdir()
    assert (
        f"begins as  {folder / 'model.safetensors'}" in lvm(*RUN, small, "--init", "first", "--name", "second").stdout
    )
    assert f"begins as  {folder.name}" in lvm("show", "second").stdout
    again = lvm(*RUN, small, "--init", "first", "--name", "second", "--resume", "second").stdout
    assert "is finished: nothing is left to do" in again
    said = lvm("run", "--init", "latest", "--resume", "second", status=2).stderr
    assert "--init was 'first' and now is 'latest'" in said


def test_runs_survive_being_killed() -> None:
    """The soak that `benchmarks/resume_soak.py` makes at length."""
    words = [sys.executable, str(SOAK), "--kills", "4", "--minutes", "3", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["kills"] >= 4
