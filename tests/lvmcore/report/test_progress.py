"""What is shown while a run is under way."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from rich.console import Console
from training import train

from lvmcore.data.corpus import Corpus
from lvmcore.registry import Registry
from lvmcore.report.progress import SETTLED, Course, Display, WindowsBar, changes
from lvmcore.runs.run import Run
from lvmcore.training.trainer import Trainer
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import SettledStage, Stage, Variant


def said_of(variant: Variant) -> list[str]:
    befores = [variant, *variant.plan]
    return [changes(stage, before) for stage, before in zip(variant.plan, befores, strict=False)]


def test_a_stage_says_what_it_changes(catalogue: Catalogue) -> None:
    first, second, third = said_of(catalogue.variants["p5"])
    assert first == "sampler forward:0.3"
    assert second == "sampler forward:0.7"
    assert third == "loss mse+dir:0.002,margin=0.01,adaptive=true   sampler full"


def test_a_stage_says_each_setting_that_differs_from_the_stage_before(catalogue: Catalogue) -> None:
    own = {"arch": "amn", "inputs": "drop:0.1", "batch_size": 7, "schedule": "constant", "lr": 0.25}
    stages = (Stage(name="a", epochs=1), Stage(name="b", epochs=1, **own), Stage(name="c", epochs=1, inputs=""))
    first, second, third = said_of(attrs.evolve(catalogue.variants["p1"], stages=stages))
    assert first == ""
    assert second == "arch amn   inputs drop:0.1   batch size 7   schedule constant   lr 0.25"
    assert third == "arch transformer   inputs none   batch size 64"


def test_a_learning_rate_that_begins_anew_is_said_though_it_is_as_high_as_before(catalogue: Catalogue) -> None:
    base = catalogue.variants["p1"]
    stages = (Stage(name="a", epochs=1), Stage(name="b", epochs=1, schedule=base.schedule), Stage(name="c", epochs=1))
    _, anew, goes_on = said_of(attrs.evolve(base, stages=stages))
    assert f"lr {base.lr}" in anew
    assert goes_on == ""


def settled(epochs: int, batch_size: int) -> SettledStage:
    return SettledStage(name="", epochs=epochs, arch="", loss="", inputs="", sampler="", batch_size=batch_size)


def test_the_time_left_is_that_of_all_stages() -> None:
    course = Course([settled(2, 10), settled(3, 20)], [5, 10])  # windows: 2 · 50, 3 · 200
    course.end_epoch(25.0)
    assert course.left(0, 0.0) == pytest.approx(25 / 50 * 650)
    assert course.left(25, 12.5) == pytest.approx(0.5 * 625)
    for _ in range(4):
        course.end_epoch(10.0)
    assert course.left(0, 0.0) == 0


def test_no_time_is_told_in_the_first_seconds() -> None:
    course = Course([settled(1, 10)], [100])
    assert course.left(0, SETTLED * 2) is None
    assert course.left(10, SETTLED * 0.9) is None
    assert course.left(10, SETTLED) == pytest.approx(SETTLED * 99)


class Clock:
    """Every look at it is a second later."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1
        return self.now


def test_the_bar_shows_what_is_left_of_the_whole_run(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvmcore.report.progress.time", Clock())
    variant = attrs.evolve(catalogue.variants["p5"], batch_size=10)
    first, *_ = variant.plan
    record = {
        "name": "p5", "recipe": {"arch": "x"}, "corpus": {"name": "c"}, "parameters": 1, "precision": "fp32", "seed": 0,
        "windows": {"train": 1000, "val": 10}, "steps": [30, 70, 100],
        "machine": {"processor": "p", "threads": 1},
    }  # fmt: skip
    run = Run(Path("there"), record)
    printed = io.StringIO()
    with Display(Console(force_terminal=True, width=80, file=printed), variant) as display:
        display.lvm_run_started(run=run)
        display.lvm_stage_started(run=run, stage=first, steps_per_epoch=30)
        display.lvm_epoch_started(run=run, epoch=1)
        told = []
        for step in range(1, 11):
            display.lvm_step_finished(run=run, step=step, terms={"mse": torch.tensor(0.5)})
            (task,) = display.progress.tasks
            told.append(task.fields["left"])
        display.progress.refresh()
    assert told[:4] == [""] * 4
    steps = 4 * 30 + 6 * 70 + 10 * 100
    assert told[9] == f"{(steps - 10) // 60} min {(steps - 10) % 60} s left"  # a second a step
    assert told[9] in printed.getvalue()


@pytest.mark.parametrize(
    ("options", "quiet", "shown"),
    [
        ({"force_terminal": True}, False, True),
        ({"force_jupyter": True}, False, True),
        ({"force_terminal": False}, False, False),
        ({"force_terminal": True}, True, False),
        ({"force_jupyter": True}, True, False),
    ],
)
def test_a_bar_is_drawn_in_a_terminal_and_in_a_notebook_unless_it_is_to_be_quiet(
    options: dict[str, Any], quiet: bool, shown: bool
) -> None:
    bar = WindowsBar(Console(file=io.StringIO(), quiet=quiet, **options))
    assert bar.progress.disable is not shown


def test_a_staged_run_prints_what_each_stage_changes(
    catalogue: Catalogue, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    printed = io.StringIO()
    variant = catalogue.variants["p5"].override({"epochs": 5})

    def listening(trainer: Trainer) -> Display:
        facts = {"precision": "fp32", "seed": 0, "parameters": 1, "steps": [stage.steps for stage in trainer.stages]}
        trainer.run.update(
            recipe={"arch": ""}, corpus={"name": ""}, windows={"train": 1, "val": 1},
            machine={"processor": "", "threads": 1}, **facts,
        )  # fmt: skip
        return Display(Console(file=printed, width=200, markup=False), variant)

    train(variant, corpus, registry, tmp_path, listener=listening)
    stages = [line for line in printed.getvalue().splitlines() if line.startswith("    stage  ")]
    assert [line.split("   ")[-1] for line in stages] == ["sampler forward:0.3", "sampler forward:0.7", "sampler full"]
    assert "loss mse+dir:0.002,margin=0.01,adaptive=true" in stages[2]
    assert "1 epoch of " in stages[0]
