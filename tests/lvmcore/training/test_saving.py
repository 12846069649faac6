"""What a run is gets saved: when, with what its components remember, and on a disk that fails now and then."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from resuming import Stopper, require_equal, stopped_and_resumed
from training import made, train

from lvmcore import component, hookimpl
from lvmcore.data.corpus import Corpus
from lvmcore.errors import LvmError, MachineError
from lvmcore.listeners import Listeners
from lvmcore.plugins import Plugin, Plugins
from lvmcore.registry import Registered, Registry
from lvmcore.runs.run import Run
from lvmcore.stopping import deferred
from lvmcore.training.saving import Interval
from lvmcore.training.state import TrainerState
from lvmcore.variants.variant import Variant


def registry_with(kind: str, build: Callable[..., Any]) -> Registry:
    """All that is built in, and one component `mine`."""

    @component
    class Mine:
        """Of a test."""

        def build(self, *given: Any) -> Any:
            return build(*given)

    registry = Registry(Plugins(only=()))
    registry.all(kind)
    registry._kinds[kind].append(Registered(kind, "mine", Mine, Plugin("mine", "test", "0", "test")))
    return registry


class Running:
    """A loss that looks at the mean of all targets it has seen."""

    def __init__(self) -> None:
        self.mean: Any = 0.0

    def __call__(self, step: Any) -> torch.Tensor:
        self.mean = 0.9 * self.mean + 0.1 * step.target.mean(0)
        return (step.unit - self.mean).square().mean()

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean = state["mean"]


class RunningModule(torch.nn.Module):
    """The same as a module with a buffer."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(16))

    def forward(self, step: Any) -> torch.Tensor:
        self.mean.mul_(0.9).add_(0.1 * step.target.mean(0))
        return (step.unit - self.mean).square().mean()


@pytest.mark.parametrize("build", [Running, RunningModule])
def test_what_a_loss_remembers_is_resumed(
    build: Callable[[], Any], variant: Variant, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, stopper = registry_with("loss", build), Stopper(monkeypatch)
    variant = attrs.evolve(variant, loss="mse+mine:0.5")
    _, whole, _ = train(variant, corpus, registry, tmp_path, listener=lambda _: stopper)
    registry = registry_with("loss", build)
    resumed = stopped_and_resumed(variant, corpus, registry, tmp_path, stopper, stopper.done)
    require_equal(resumed, whole)


class Turning:
    """A sampler that goes on where it was in the epoch before."""

    def __init__(self, windows: Any) -> None:
        self.count, self.turned = len(windows), 0

    def __call__(self, epoch: int, generator: torch.Generator) -> torch.Tensor:
        self.turned += 3
        return torch.arange(self.count).roll(self.turned)

    def state_dict(self) -> dict[str, int]:
        return {"turned": self.turned}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.turned = state["turned"]


def test_what_a_sampler_remembers_is_resumed_as_it_was_when_the_epoch_was_drawn(
    variant: Variant, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopper = Stopper(monkeypatch)
    variant = attrs.evolve(variant, sampler="mine")
    _, whole, _ = train(variant, corpus, registry_with("sampler", Turning), tmp_path, listener=lambda _: stopper)
    for seed in range(3):
        registry = registry_with("sampler", Turning)
        resumed = stopped_and_resumed(variant, corpus, registry, tmp_path, stopper, stopper.done, seed=seed)
        require_equal(resumed, whole)


class WithFunction(torch.optim.SGD):
    def step(self, closure: Any = None) -> None:  # pyright: ignore
        super().step(closure)
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter]["hook"] = len


def forgetful_loss() -> Running:
    loss = Running()
    loss.mean = object()
    return loss


@pytest.mark.parametrize(
    ("kind", "build", "named", "where"),
    [
        ("optimizer", lambda weights, lr, decay: WithFunction(weights, lr), "optimizer 'mine'", "state/0/hook"),
        ("loss", forgetful_loss, "loss 'mine'", "mean"),
    ],
)
def test_what_cannot_be_saved_is_told_before_the_first_step(
    kind: str, build: Callable[..., Any], named: str, where: str, variant: Variant, corpus: Corpus, tmp_path: Path
) -> None:
    variant = attrs.evolve(variant, **{kind: "mine"})
    with pytest.raises(LvmError, match=f"a run with {named} could not be resumed") as caught:
        made(variant, corpus, registry_with(kind, build), Run.create(tmp_path, "x", []))
    assert caught.value.where == f"{named}/{where}"


def test_a_plugin_that_remembers_something_else_now_is_named(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    _, run, _ = train(variant, corpus, registry_with("loss", Running), tmp_path)
    state = attrs.evolve(TrainerState.load(run.state_file), losses=[{"mine": {"mean": 0.0}}])
    with pytest.raises(LvmError, match="mine remembers something now, or did then"):
        state.restore(made(variant, corpus, registry, run))


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("500 steps", Interval(500)),
        ("1 step", Interval(1)),
        ("10 min", Interval(0, 600.0)),
        ("0.5h", Interval(0, 1800.0)),
        (" 30 s ", Interval(0, 30.0)),
    ],
)
def test_an_interval_is_read(text: str, interval: Interval) -> None:
    assert attrs.evolve(Interval.of(text), text="") == interval


@pytest.mark.parametrize("text", ["", "10", "steps", "0 steps", "1.5 steps", "-3 s", "10 epochs", "1e3 steps", "0 s"])
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(LvmError, match="is no interval") as caught:
        Interval.of(text)
    assert caught.value.where == "--save-every"


@pytest.mark.parametrize(("every", "steps"), [(None, [0, 0]), ("2 steps", [0, 2, 4, 0]), ("3 steps", [0, 3, 0])])
def test_the_state_is_saved_at_the_end_of_an_epoch_and_every_so_often_between(
    every: str | None, steps: list[int], variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    saved = []
    save = TrainerState.save

    def saving(state: TrainerState, path: Path) -> None:
        save(state, path)
        saved.append(TrainerState.load(path).step)

    monkeypatch.setattr(TrainerState, "save", saving)
    variant = attrs.evolve(variant, batch_size=10, epochs=1)  # 6 steps
    train(variant, corpus, registry, tmp_path, save_every=Interval.of(every) if every else None)
    assert saved == steps


class Asks:
    """Sends SIGTERM after so many steps of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        self.epoch, self.step, self.now = epoch, step, 0

    @hookimpl
    def lvm_epoch_started(self, epoch: int) -> None:
        self.now = epoch
        self.look(0)

    @hookimpl
    def lvm_step_finished(self, step: int) -> None:
        self.look(step)

    def look(self, step: int) -> None:
        if (self.now, step) == (self.epoch, self.step):
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("epoch", "step"), [(1, 0), (1, 2), (1, 6), (2, 0), (2, 3)])
def test_what_was_done_until_a_signal_is_saved(
    epoch: int, step: int, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    """After none of an epoch's 6 steps, some, or all: in the validation, at whose averaged weights nothing is saved."""
    variant = attrs.evolve(variant, batch_size=10, epochs=3, ema=0.9)
    _, whole, _ = train(variant, corpus, registry, tmp_path)
    run = Run.create(tmp_path, "x", [])
    trainer = made(variant, corpus, registry, run, listeners=Listeners(registry.plugins.manager, [Asks(epoch, step)]))
    with deferred(), pytest.raises(KeyboardInterrupt):
        trainer.train()
    state = TrainerState.load(run.state_file)
    assert (state.epoch, state.step) == (epoch, step)
    assert state.record
    assert (state.record["seconds"] > 0) == (step > 0)
    trainer = made(variant, corpus, registry, run)
    state.restore(trainer)
    trainer.train()
    require_equal(run, whole)


class Disk:
    """A disk that is full from one flush to another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self._flush)

    def _flush(self, handle: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._fsync(handle)


class Fills:
    """Fills the disk for some epochs."""

    def __init__(self, disk: Disk, full: set[int]) -> None:
        self.disk, self.full = disk, full

    @hookimpl
    def lvm_epoch_started(self, epoch: int) -> None:
        self.disk.full = epoch in self.full


def without_events(run: Run) -> list[dict[str, Any]]:
    return [{**epoch, "events": [], "seconds": 0, "windows_per_second": 0} for epoch in run.epochs]


def test_a_disk_that_is_full_for_a_while_costs_no_training(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = attrs.evolve(variant, epochs=6)
    _, plain, _ = train(variant, corpus, registry, tmp_path)
    disk = Disk(monkeypatch)
    outcome, run, _ = train(variant, corpus, registry, tmp_path, listener=lambda _: Fills(disk, {2, 3, 5}))
    assert outcome.status == "finished"
    said = [epoch["events"] for epoch in run.epochs]
    for epoch in (2, 3, 5):
        assert said[epoch - 1] == [
            "not saved: a file cannot be written: No space left on device; tried again at the next save"
        ]
    assert [said[epoch - 1] for epoch in (1, 4, 6)] == [[], [], []]
    assert without_events(run) == without_events(plain)
    assert TrainerState.load(run.state_file).epoch == 6


@pytest.mark.parametrize(("full", "ended"), [({2, 3, 4}, 4), ({6}, 6), ({1}, None)])
def test_a_disk_that_stays_full_ends_the_run_which_can_be_resumed(
    full: set[int], ended: int | None, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    variant = attrs.evolve(variant, epochs=6)
    _, plain, _ = train(variant, corpus, registry, tmp_path)
    disk, run = Disk(monkeypatch), Run.create(tmp_path, "x", [])
    trainer = made(variant, corpus, registry, run)
    trainer.tell = lambda hook, **facts: Fills.lvm_epoch_started(Fills(disk, full), facts["epoch"]) if (
        hook == "lvm_epoch_started"
    ) else None  # fmt: skip
    if ended is None:
        assert trainer.train().status == "finished"
    else:
        with pytest.raises(MachineError, match="No space left") as caught:
            trainer.train()
        assert f"make room, then lvm run --resume {run.path}" == caught.value.fix
        assert trainer.epoch == ended
        disk.full = False
        assert TrainerState.load(run.state_file).epoch == min(full) - 1
        trainer = made(variant, corpus, registry, run)
        TrainerState.load(run.state_file).restore(trainer)
        trainer.train()
    assert without_events(run) == without_events(plain)


def test_best_weights_that_somebody_took_away_are_missed(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    _, run, _ = train(attrs.evolve(variant, lr=3.0, epochs=4), corpus, registry, tmp_path, on_collapse="continue")
    state = TrainerState.load(run.state_file)
    assert 0 < state.best["epoch"] < state.epoch
    run.model_file.unlink()
    with pytest.raises(LvmError, match="the best weights so far are gone") as caught:
        state.restore(made(attrs.evolve(variant, lr=3.0, epochs=4), corpus, registry, run))
    assert caught.value.where == str(run.model_file)


def test_a_model_that_is_built_otherwise_now_is_told_with_both_ways(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    _, run, _ = train(variant, corpus, registry, tmp_path)
    state = TrainerState.load(run.state_file)
    with pytest.raises(LvmError, match=r"arch was 'transformer,.*dropout=0.1.*' and is '.*dropout=0.2"):
        state.restore(made(attrs.evolve(variant, arch="transformer,dropout=0.2"), corpus, registry, run))
