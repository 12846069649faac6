"""A lab goes on with runs: the figures of one go, nothing that differs from how they were begun, and more epochs."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from resuming import TIMES, Stop, require_equal
from rich.console import Console

from lvmcore import Lab, LvmError, Run, hookimpl
from lvmcore.runs.folder import find_run

SETTINGS: dict[str, Any] = {
    "arch": "amn",
    "loss": "mse+dir:0.1",
    "inputs": "drop:0.3",
    "size": "toy",
    "epochs": 3,
    "batch_size": 16,
    "lr": 3e-3,
}
STAGED: dict[str, Any] = {
    "arch": None,
    "loss": None,
    "inputs": None,
    "epochs": 5,
    "lr": 5e-4,
    "on_collapse": "continue",
    "ignore_gates": True,
}
"""What makes of the same settings those of a staged variant."""
RUINOUS = {"arch": "transformer", "loss": "mse+norm:30,start=3+dir:300,start=3", "lr": 1e-2, "epochs": 5}
"""What collapses."""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(runs=tmp_path / "runs", progress=Console(file=io.StringIO(), width=200, markup=False))


def said(lab: Lab) -> str:
    return lab.console.file.getvalue()  # pyright: ignore


class Stops:
    """Stops a run in an epoch, or in its evaluation, as if the power had failed."""

    def __init__(self, epoch: int = 0, step: int = 1) -> None:
        self.epoch, self.step, self.now = epoch, step, 0

    @hookimpl
    def lvm_epoch_started(self, epoch: int) -> None:
        self.now = epoch

    @hookimpl
    def lvm_step_finished(self, step: int) -> None:
        if (self.now, step) == (self.epoch, self.step):
            raise Stop

    @hookimpl
    def lvm_evaluated(self) -> None:
        if not self.epoch:
            raise Stop


def stopped(lab: Lab, where: Stops, variant: str | None = None, **settings: Any) -> Run:
    with pytest.raises(Stop):
        lab.train(variant, **(SETTINGS | settings), listeners=[where])
    assert lab.last is not None
    return find_run(str(lab.last.path), lab.folder)


def require_equal_evaluations(one: Run, other: Run) -> None:
    ours, theirs = (
        {key: held for key, held in (run.document_by() or {}).items() if key not in (*TIMES, "model")}
        for run in (one, other)
    )
    assert ours == theirs
    assert ours


@pytest.mark.parametrize("where", [Stops(1), Stops(2, 2), Stops(3), Stops()], ids=["1", "2", "3", "evaluation"])
def test_the_result_is_that_of_one_go(where: Stops, lab: Lab, small: Path) -> None:
    whole = lab.train(data=str(small), **SETTINGS)
    run = stopped(lab, where, data=str(small), save_every="1 step")
    assert run.status == "interrupted"
    again = lab.resume(run)
    assert again.status == "finished"
    require_equal(again, whole)
    require_equal_evaluations(again, whole)
    (resumed,) = again.record["resumed"]
    assert (resumed["epoch"], resumed["step"]) == {1: (0, 0), 2: (2, 1), 3: (2, 0), 0: (3, 0)}[where.epoch]
    assert not again.is_held()


def test_the_result_in_bf16_is_that_of_one_go(lab: Lab, small: Path) -> None:
    settings = SETTINGS | {"data": str(small), "precision": "bf16"}
    whole = lab.train(**settings)
    for where in (Stops(2, 1), Stops()):
        again = lab.resume(stopped(lab, where, **settings))
        require_equal(again, whole)
        require_equal_evaluations(again, whole)


def test_a_run_is_resumed_by_name_though_it_was_stopped_several_times(lab: Lab, small: Path) -> None:
    whole = lab.train(data=str(small), **SETTINGS)
    stopped(lab, Stops(1, 2), data=str(small), save_every="1 step")
    for epoch in (2, 3, 0):
        with pytest.raises(Stop):
            lab.resume("latest", listeners=[Stops(epoch)])
    run = lab.resume("amn")
    require_equal(run, whole)
    require_equal_evaluations(run, whole)
    assert len(run.record["resumed"]) == 4
    assert run.record["seconds"] > 0


def test_a_staged_variant_of_the_registry_is_resumed(lab: Lab, small: Path) -> None:
    settings = STAGED | {"data": str(small)}
    whole = lab.train("p5", **(SETTINGS | settings))
    run = lab.resume(stopped(lab, Stops(4, 1), "p5", **settings))
    require_equal(run, whole)
    require_equal_evaluations(run, whole)


def test_what_is_over_is_said_to_be(lab: Lab, small: Path) -> None:
    run = lab.train(data=str(small), **SETTINGS)
    before = (run.path / "run.json").read_bytes()
    assert lab.resume("latest").path == run.path
    assert f"{run.path.name} is finished: nothing is left to do" in said(lab)
    assert (run.path / "run.json").read_bytes() == before
    assert not run.is_held()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"lr": 0.5}, ["--lr was 0.003 and now is 0.5"]),
        ({"seed": 3, "arch": "lstm"}, ["--seed was 0 and now is 3", "--arch was 'amn' and now is 'lstm'"]),
        ({"epochs": 2}, ["--epochs was 3 and now is 2: it may only be raised"]),
        ({"precision": "bf16"}, ["--precision was 'fp32' and now is 'bf16'"]),
        ({"on_collapse": "continue"}, ["--on-collapse was 'stop' and now is 'continue'"]),
        ({"variant": "p1"}, ["the variant was 'base' and now is 'p1'"]),
        ({"tags": ("a", "b")}, ["--tag was none and now is a, b"]),
        ({"ignore_gates": True}, ["--ignore-gates was False and now is True"]),
        ({"init": "other"}, ["--init was None and now is 'other'"]),
    ],
)
def test_what_differs_from_how_it_was_begun_is_refused_with_both_values(
    asked: dict[str, Any], told: list[str], lab: Lab, small: Path
) -> None:
    run = stopped(lab, Stops(2), data=str(small))
    before = {file.name: file.read_bytes() for file in run.path.iterdir()}
    with pytest.raises(LvmError) as caught:
        lab.resume(run, **asked)
    assert caught.value.what == f"a run goes on as it was begun: {'; '.join(told)}"
    assert caught.value.where == str(run.path)
    assert {file.name: file.read_bytes() for file in run.path.iterdir()} == before
    assert not run.is_held()


def test_what_does_not_differ_may_be_said_again(lab: Lab, small: Path) -> None:
    run = stopped(lab, Stops(2), data=str(small), tags=["a"], seed=2)
    again = {**SETTINGS, "data": str(small), "tags": ("a",), "seed": 2, "variant": "base", "precision": "fp32"}
    assert lab.resume(run, **again).status == "finished"


def test_another_corpus_is_refused_with_both_digests_and_the_same_may_have_moved(
    lab: Lab, small: Path, make_corpus: Callable[..., Path]
) -> None:
    whole = lab.train(data=str(small), **SETTINGS)
    run = stopped(lab, Stops(2), data=str(small))
    digest = run.record["corpus"]["digest"]
    moved = small.rename(small.with_name("moved.safetensors"))
    other = make_corpus("small", seed=1)
    for words in ({}, {"data": str(other)}):
        with pytest.raises(LvmError, match="was begun on a corpus of digest") as caught:
            lab.resume(run, **words)
        assert digest in caught.value.what
        assert lab.corpus(str(other)).digest in caught.value.what
    assert run.path.exists()
    other.unlink()
    with pytest.raises(LvmError, match="there is no such"):
        lab.resume(run)
    require_equal(lab.resume(run, data=str(moved)), whole)


@pytest.mark.parametrize("schedule", ["constant", "plateau:0.5,patience=0"])
def test_a_finished_run_with_more_epochs_is_the_run_that_had_them_from_the_beginning(
    schedule: str, lab: Lab, small: Path
) -> None:
    settings = SETTINGS | {"data": str(small), "schedule": schedule}
    whole = lab.train(**(settings | {"epochs": 5}))
    run = lab.train(**settings)
    longer = lab.resume(run, epochs=5)
    require_equal(longer, whole)
    require_equal_evaluations(longer, whole)
    assert longer.record["variant"]["epochs"] == longer.record["overrides"]["epochs"] == 5
    assert longer.record["reason"] == ""


@pytest.mark.parametrize(
    ("variant", "settings", "why"),
    [
        (None, {"schedule": "warmup-cosine:1"}, "the schedule 'warmup-cosine:1' is laid out for its 12 steps"),
        (None, {"lr": 0.5, "patience": 1, "on_collapse": "continue"}, "it ended before its last (no better"),
        (None, RUINOUS, "it ended before its last (collapsed at epoch"),
        ("p5", STAGED, "its stages scale with them, and epoch 2 would not have been of stage B"),
    ],
    ids=["schedule", "patience", "collapse", "stages"],
)
def test_why_a_run_cannot_have_more_epochs_is_said(
    variant: str | None, settings: dict[str, Any], why: str, lab: Lab, small: Path
) -> None:
    run = lab.train(variant, **(SETTINGS | {"data": str(small), "evaluate": False} | settings))
    before = (run.path / "run.json").read_bytes()
    with pytest.raises(LvmError, match="the run can't have 20 epochs") as caught:
        lab.resume(run, epochs=20)
    assert why in caught.value.what
    assert (run.path / "run.json").read_bytes() == before


def test_a_run_without_a_state_is_told_why(lab: Lab, small: Path) -> None:
    run = stopped(lab, Stops(2), data=str(small))
    run.state_file.unlink()
    with pytest.raises(LvmError, match="holds no state to go on from") as caught:
        lab.resume(run)
    assert caught.value.where == str(run.path)
    early = Run.create(lab.folder, "early", [])
    early.release()
    with pytest.raises(LvmError, match="holds no state to go on from"):
        lab.resume("early")


def test_runs_of_an_earlier_lvm_are_over_or_told_why(lab: Lab) -> None:
    made = Path(__file__).parent / "runs" / "made_with_0.1" / "2026-11-25-012002-p1-5efc"
    folder = lab.folder / made.name
    shutil.copytree(made, folder)
    lab.resume("latest")
    assert "is finished: nothing is left to do" in said(lab)
    with pytest.raises(LvmError, match="an earlier lvm made it"):
        lab.resume("latest", epochs=50)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"status": "interrupted"}))
    with pytest.raises(LvmError, match="an earlier lvm made it"):
        lab.resume("latest")


def test_what_killed_processes_left_is_taken_away(lab: Lab, small: Path) -> None:
    run = stopped(lab, Stops(2), data=str(small))
    for name in (".state.safetensors.0123abcd", ".evaluation.json.ffffffff"):
        (run.path / name).write_bytes(b"half")
    (run.path / ".served-9007").write_text("")
    (run.path / "notes.txt").write_text("mine")
    lab.resume(run)
    assert {file.name for file in run.path.glob(".*")} == {".lock", ".served-9007"}
    assert (run.path / "notes.txt").exists()


def test_a_damaged_state_is_named(lab: Lab, small: Path) -> None:
    run = stopped(lab, Stops(2), data=str(small))
    run.state_file.write_bytes(run.state_file.read_bytes()[:-9])
    with pytest.raises(LvmError, match="may be truncated") as caught:
        lab.resume(run)
    assert caught.value.where == str(run.state_file)


def test_a_run_that_another_process_works_on_is_left_alone(lab: Lab, small: Path) -> None:
    run = stopped(lab, Stops(2), data=str(small))
    run.lock()
    with pytest.raises(LvmError, match="another process is working on this run"):
        lab.resume(str(run.path))
    run.release()
    assert lab.resume(str(run.path)).status == "finished"


def test_other_versions_and_plugins_are_told_and_written_down(lab: Lab, small: Path) -> None:
    run = stopped(lab, Stops(2), data=str(small))
    run.record["versions"]["torch"] = "1.0"
    run.record["plugins"].append({"dist": "lvm-gone", "plugin": "gone", "version": "3"})
    run.update()
    run = lab.resume(run.path.name)
    assert "begun with other versions: torch 1.0 → " in said(lab)
    assert "begun with plugin lvm-gone/gone 3; now it is not loaded" in said(lab)
    assert run.record["resumed"][0]["versions_before"]["torch"] == "1.0"
    assert run.record["versions"]["torch"] != "1.0"


def test_the_number_of_threads_is_that_of_the_beginning_and_afterwards_what_it_was(lab: Lab, small: Path) -> None:
    run = stopped(lab, Stops(2), data=str(small))
    now = torch.get_num_threads()
    run.record["machine"]["threads"] = now + 1
    run.update()
    assert lab.resume(run.path.name).record["machine"]["threads"] == now + 1
    assert torch.get_num_threads() == now


def test_an_evaluation_of_earlier_weights_goes_when_there_are_better_ones(lab: Lab, small: Path) -> None:
    run = stopped(lab, Stops(2), data=str(small), arch="transformer")
    lab.evaluate(run, save=True)
    lab.evaluate(run, protocol="5cat-2025", save=True)
    assert len(list(run.path.glob("evaluation*"))) == 2
    lab.resume(run.path.name, evaluate=False)
    assert any(epoch["best"] for epoch in run.epochs[1:])
    assert not list(run.path.glob("evaluation*"))
    assert not (run.path / "windows.safetensors").exists()


def test_what_is_shown_of_a_resumed_run_fits_the_whole(lab: Lab, small: Path) -> None:
    run = stopped(lab, Stops(3), data=str(small))
    lab.console.file.seek(0)
    lab.console.file.truncate()  # pyright: ignore
    lab.resume(run)
    shown = said(lab)
    assert "resumed" in shown
    assert "after 2 of 3 epochs" in shown
    assert "epoch  3/3" in shown
    assert "epoch  2/3" not in shown


# --- other weights to begin with


def test_a_run_begins_with_the_weights_of_another(lab: Lab, small: Path) -> None:
    first = lab.train(data=str(small), **SETTINGS)
    drawn = lab.train(data=str(small), **(SETTINGS | {"epochs": 1}))
    tuned = lab.train(data=str(small), init=first, **(SETTINGS | {"epochs": 1}))
    assert tuned.epochs[0]["loss"] < drawn.epochs[0]["loss"]
    assert tuned.record["init"]["run"] == first.path.name
    assert tuned.record["init"]["digest"].startswith("sha256:")
    assert tuned.record["init"]["file"] == str(first.model_file)
    assert "init" not in drawn.record
    again = lab.train(data=str(small), init=str(first.model_file), **(SETTINGS | {"epochs": 1}))
    require_equal(again, tuned)


def test_a_run_that_began_with_other_weights_is_resumed_without_them(lab: Lab, small: Path) -> None:
    first = lab.train(data=str(small), **SETTINGS)
    whole = lab.train(data=str(small), init=first, **SETTINGS)
    run = stopped(lab, Stops(2), data=str(small), init=first)
    shutil.rmtree(first.path)
    run = lab.resume(run, init=first)
    require_equal(run, whole)
    assert run.record["init"] == whole.record["init"]


def test_weights_that_do_not_fit_are_told_by_name_and_nothing_is_left(lab: Lab, small: Path) -> None:
    first = lab.train(data=str(small), **SETTINGS)
    with pytest.raises(LvmError, match="the weights to begin with do not fit the model") as caught:
        lab.train(data=str(small), init=first, **(SETTINGS | {"inputs": "pos:0.1"}))
    assert "architecture.key.weight is (16, 16), and (16, 17) was expected" in caught.value.what
    with pytest.raises(LvmError, match=r"architecture.alpha is not there, and \(\) was expected.*; and 25 more"):
        lab.train(data=str(small), init=first, **(SETTINGS | {"arch": "amn+residual"}))
    with pytest.raises(LvmError, match="there is no run 'nowhere'"):
        lab.train(data=str(small), init="nowhere", **SETTINGS)
    assert [run.path for run in lab.runs] == [first.path]
