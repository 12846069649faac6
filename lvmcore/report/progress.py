"""What `lvm run` shows while it works: it listens to the run by the hooks that every plugin may use."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from lvmcore.evaluation.figures import plain, rate, signed
from lvmcore.hookspecs import hookimpl
from lvmcore.report.tables import duration, fact
from lvmcore.variants.variant import SettledStage, Variant

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.runs.run import Run

REFRESH = 0.2
"""Seconds between two looks at the loss terms; each look waits for the device."""

SETTLED = 5.0
"""Seconds of training before the time that is left is estimated: the first steps are slow."""

CHANGING = ("arch", "loss", "inputs", "sampler", "batch_size", "schedule", "lr")
"""What stages differ in."""


def console_of(progress: Console | bool | None) -> Console:
    """Where progress is shown: a console, or a quiet one where none is wanted; None shows it where somebody looks."""
    if isinstance(progress, Console):
        return progress
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    console.quiet = not (console.is_terminal or console.is_jupyter if progress is None else progress)
    return console


def is_watched(console: Console) -> bool:
    """Whether somebody looks at it, for whom a bar may be drawn."""
    return not console.quiet and (console.is_terminal or console.is_jupyter)


@contextmanager
def displayed(console: Console, variant: Variant) -> Iterator[Display | None]:
    """The display of a run, but on a quiet console."""
    if console.quiet:
        yield None
        return
    with Display(console, variant) as display:
        yield display


class Left(TimeRemainingColumn):
    """The time that the whole training takes yet; of anything else than training, what is left of the task."""

    def render(self, task: Task) -> Text:
        left = task.fields["left"]
        return super().render(task) if left is None else Text(left, style="progress.remaining")


class Course:
    """How far a training is, over all its stages, and how long what is left of it takes.

    A window counts for as much in any stage. What is done between epochs, such as judging a stage, is not estimated.

    Args:
        stages: in their order.
        steps: of an epoch, for each of them.
    """

    def __init__(self, stages: Sequence[SettledStage], steps: Sequence[int]) -> None:
        self._windows = [
            count * stage.batch_size for stage, count in zip(stages, steps, strict=True) for _ in range(stage.epochs)
        ]
        self._spent = 0.0
        self._epochs = 0

    def end_epoch(self, seconds: float) -> None:
        self._spent += seconds
        self._epochs += 1

    def left(self, windows: int, seconds: float) -> float | None:
        """Seconds yet, after so many windows and seconds of the epoch under way; None while that can't be told."""
        spent, done = self._spent + seconds, sum(self._windows[: self._epochs]) + windows
        if spent < SETTLED or not done:
            return None
        return spent / done * max(sum(self._windows) - done, 0)


def changes(stage: SettledStage, before: SettledStage | Variant) -> str:
    """What a stage does otherwise than the one before it, or than the variant says: `loss mse+dir:0.002   lr 0.0001`.

    A learning rate that goes on along its course is none; one that begins anew is, though it be as high as before.
    """
    own = {key: getattr(stage, key) for key in CHANGING}
    kept = {key: getattr(before, key) for key in CHANGING}
    if isinstance(before, SettledStage):
        kept["lr"] = None
    changed = {key: value for key, value in own.items() if value not in (None, kept[key])}
    return "   ".join(f"{key.replace('_', ' ')} {value or 'none'}" for key, value in changed.items())


def objective(variant: Variant) -> str:
    """What a variant is trained for, and on what it sees."""
    return f"{variant.loss}   inputs {variant.inputs or 'none'}   sampler {variant.sampler}"


def _device(held: dict[str, Any] | None) -> str:
    """What is said of a device beside the processor."""
    if held is None or held["kind"] == "cpu":
        return ""
    memory = f", {held['memory'] / 1e9:.0f} GB" if held["memory"] else ""
    return f"{held['kind']}: {held['name']}{memory}; {held['rows']}"


def _resumed(record: dict[str, Any], epochs: int) -> str:
    """Where a run is gone on from; nothing of one that is not."""
    if not record.get("resumed"):
        return ""
    epoch, step = (record["resumed"][-1][key] for key in ("epoch", "step"))
    return f"after step {step} of epoch {epoch} of {epochs}" if step else f"after {epoch} of {epochs} epochs"


class WindowsBar:
    """A bar of the windows that each predictor has been evaluated on."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.completed}/{task.total}"),
            Left(compact=True),
            # the last to have room
            TextColumn("{task.fields[facts]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            console=console,
            transient=True,
            expand=True,
            # a bar of rich's draws in a notebook past a quiet console
            disable=not is_watched(console),
        )
        self.evaluated = ""
        self.task: TaskID | None = None

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def evaluating(self, what: str, done: int, total: int) -> None:
        """Progress of the evaluation: which predictor, how many windows of how many."""
        if what != self.evaluated:
            self.evaluated = what
            self.task = self.new_task(f"5CAT {what}", total)
        if self.task is not None:
            self.progress.update(self.task, completed=done)

    def new_task(self, description: str, total: int, left: str | None = None) -> TaskID:
        if self.task is not None:
            self.progress.remove_task(self.task)
        return self.progress.add_task(description, total=total, facts="", left=left)


class Display(WindowsBar):
    """A bar for the epoch under way, with the time that is left of all of them, and a line for each that is done."""

    def __init__(self, console: Console, variant: Variant) -> None:
        super().__init__(console)
        self.variant = variant
        self.epochs = sum(stage.epochs for stage in variant.plan)
        self.steps = self.batch_size = 0
        self.stage: SettledStage | Variant = variant
        self.course = Course((), ())
        self._left = ""
        self._began = self._looked = 0.0
        self._first = 0

    @hookimpl
    def lvm_run_started(self, run: Run) -> None:
        record, variant = run.record, self.variant
        windows, machine = record["windows"], record["machine"]
        self.course = Course(variant.plan, record["steps"])
        for epoch in run.epochs:  # of a run that is gone on with
            self.course.end_epoch(epoch["seconds"])
        for label, text in (
            ("variant", f"{record['name']}   {record['recipe']['arch']}"),
            ("objective", objective(variant)),
            ("corpus", f"{record['corpus']['name']}   windows: {windows['train']:,} train, {windows['val']:,} val"),
            ("model", f"{record['parameters']:,} parameters, {record['precision']}, seed {record['seed']}"),
            ("begins as", (record.get("init") or {}).get("file", "")),
            ("folder", str(run.path)),
            ("resumed", _resumed(record, self.epochs)),
            ("machine", f"{machine['processor']}, {machine['threads']} threads"),
            ("device", _device(machine.get("device"))),
        ):  # fmt: skip
            if text:
                self.console.print(fact(label, text))

    @hookimpl
    def lvm_stage_started(self, run: Run, stage: SettledStage, steps_per_epoch: int) -> None:
        self.steps, self.batch_size = steps_per_epoch, stage.batch_size
        if self.variant.stages:
            epochs = f"{stage.epochs} epoch{'s' * (stage.epochs != 1)}"
            said = f"{stage.name}, {epochs} of {steps_per_epoch} steps   {changes(stage, self.stage)}"
            self.console.print(fact("stage", said.rstrip()))
        self.stage = stage

    @hookimpl
    def lvm_epoch_started(self, run: Run, epoch: int) -> None:
        self.task = self.new_task(f"epoch {epoch}/{self.epochs}", self.steps, self._left)
        self._began = self._looked = time.perf_counter()
        self._first = 0

    @hookimpl
    def lvm_step_finished(self, run: Run, step: int, terms: dict[str, Tensor]) -> None:
        now = time.perf_counter()
        self._first = self._first or step
        if self.task is None or now - self._looked < REFRESH:
            return
        self._looked = now
        # an epoch that is gone on with begins at a later step
        windows, seconds = (step - self._first + 1) * self.batch_size, now - self._began
        left = self.course.left(windows, seconds)
        self._left = "" if left is None else f"{duration(left)} left"
        facts = " ".join(f"{label} {float(value):.5f}" for label, value in terms.items())
        speed = f"{windows / seconds:.0f} windows/s"
        self.progress.update(self.task, completed=step, left=self._left, facts=f"{speed}  {facts}")

    @hookimpl
    def lvm_epoch_finished(self, run: Run, record: dict[str, Any]) -> None:
        self.course.end_epoch(record["seconds"])
        terms = "  ".join(f"{label} {term['weighted']:.5f}" for label, term in record["terms"].items())
        figures = f"val cos {plain(record['val_cos'], 4)}  margin {signed(record['margin'], 4)}"
        self.console.print(
            Text.assemble(
                f"epoch {record['epoch']:>2}/{self.epochs} ",
                ("*" if record["best"] else " ", "green"),
                f" {terms}  ",
                (figures, "bold"),
                f"  R@5 {rate(record['r5'])}  lr from {record['lr']:.2g}  "
                f"{record['windows_per_second']:.0f} windows/s  {record['seconds']:.1f} s",
            )
        )
        for event in record["events"]:
            self.console.print(Text(f"         {event}", style="yellow"))

    def evaluating(self, what: str, done: int, total: int) -> None:
        if not self.evaluated:
            self.console.print(Text(f"evaluating the best weights on {total:,} windows …", style="dim"))
        super().evaluating(what, done, total)
