"""What `lvm run` shows while it works: it listens to the run by the hooks that every plugin may use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from lvmcore.evaluation.figures import plain, rate, signed
from lvmcore.hookspecs import hookimpl
from lvmcore.variants.variant import SettledStage, Variant

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.runs.run import Run

REFRESH = 0.2
"""Seconds between two looks at the loss terms; each look waits for the device."""


class WindowsBar:
    """A bar of the windows that each predictor has been evaluated on."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[facts]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
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

    def new_task(self, description: str, total: int) -> TaskID:
        if self.task is not None:
            self.progress.remove_task(self.task)
        return self.progress.add_task(description, total=total, facts="")


class Display(WindowsBar):
    """A bar for the epoch under way and a line for each that is done."""

    def __init__(self, console: Console, variant: Variant) -> None:
        super().__init__(console)
        self.variant = variant
        self.epochs = sum(stage.epochs for stage in variant.plan)
        self.steps = self.batch_size = 0
        self._began = self._looked = 0.0

    @hookimpl
    def lvm_run_started(self, run: Run) -> None:
        record, variant = run.record, self.variant
        windows, machine = record["windows"], record["machine"]
        for label, text in (
            ("variant", f"{record['name']}   {record['recipe']['arch']}"),
            ("objective", f"{variant.loss}   inputs {variant.inputs or 'none'}   sampler {variant.sampler}"),
            ("corpus", f"{record['corpus']['name']}   windows: {windows['train']:,} train, {windows['val']:,} val"),
            ("model", f"{record['parameters']:,} parameters, {record['precision']}, seed {record['seed']}"),
            ("folder", str(run.path)),
            ("machine", f"{machine['processor']}, {machine['threads']} threads"),
        ):  # fmt: skip
            self.console.print(Text.assemble((f"{label:>9}", "bold"), "  ", text))

    @hookimpl
    def lvm_stage_started(self, run: Run, stage: SettledStage, steps_per_epoch: int) -> None:
        self.steps, self.batch_size = steps_per_epoch, stage.batch_size or self.variant.batch_size
        if self.variant.stages:
            said = f"  {stage.name}, {stage.epochs} epochs, {steps_per_epoch} steps each"
            self.console.print(Text.assemble(("    stage", "bold"), said))

    @hookimpl
    def lvm_epoch_started(self, run: Run, epoch: int) -> None:
        self.task = self.new_task(f"epoch {epoch}/{self.epochs}", self.steps)
        self._began = self._looked = time.perf_counter()

    @hookimpl
    def lvm_step_finished(self, run: Run, step: int, terms: dict[str, Tensor]) -> None:
        now = time.perf_counter()
        if self.task is None or now - self._looked < REFRESH:
            return
        self._looked = now
        speed = step * self.batch_size / (now - self._began)
        facts = " ".join(f"{label} {float(value):.5f}" for label, value in terms.items())
        self.progress.update(self.task, completed=step, facts=f"{speed:.0f} windows/s  {facts}")

    @hookimpl
    def lvm_epoch_finished(self, run: Run, record: dict[str, Any]) -> None:
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
