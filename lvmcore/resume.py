"""A run that had stopped, made ready to go on: from its record, its state, and what may be changed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import torch

from lvmcore.device import resolve as resolve_precision
from lvmcore.errors import LvmError
from lvmcore.experiment import Experiment
from lvmcore.registry import Registry
from lvmcore.runs.run import Run, versions
from lvmcore.training.saving import Interval
from lvmcore.training.state import TrainerState
from lvmcore.training.trainer import Conditions
from lvmcore.training.validation import ResolvedStage, resolve
from lvmcore.variants.catalogue import Catalogue, variant_of
from lvmcore.variants.variant import Variant

OVER = ("finished", "collapsed", "gate-failed")
"""What a run has come to its end with."""


def take_up(
    run: Run,
    registry: Registry,
    catalogue: Catalogue,
    tell: Callable[[str], None],
    changes: Mapping[str, Any],
    settings: Mapping[str, Any],
    device: str = "cpu",
    room: int | None = None,
) -> Experiment | None:
    """Hold a run, and make the experiment that goes on with it; None, and the run let go, where nothing is left to do.

    Args:
        tell: is told that, and what is otherwise than when the run was begun.
        changes: what may be asked for: more `epochs`, where the corpus lies as `data`, `save_every`; None is not.
        settings: what the run is thought to be.
        device: where it goes on.
        room: bytes that the corpus's rows may take there.

    Raises:
        LvmError: it can't go on, or not so; it is as it was.
    """
    run.lock()
    try:
        run.refresh()
        if "variant" in run.record:
            _require_agreement(run, {**settings, "epochs": changes["epochs"]})
            if run.status in OVER and (changes["epochs"] or 0) <= run.record["variant"]["epochs"]:
                tell(f"{run.path.name} is {run.status}: nothing is left to do")
                run.release()
                return None
        if not run.state_file.is_file():
            raise LvmError(
                "the run holds no state to go on from: it ended before it began to train, or an earlier lvm made it",
                where=str(run.path),
                fix="begin it again; lvm show has its command",
            )
        for said in _differences(run, registry, device):
            tell(said)
        return _experiment_of(run, registry, catalogue, device, room, **changes)
    except BaseException:
        run.release()
        raise


def _require_agreement(run: Run, settings: Mapping[str, Any]) -> None:
    """See that what is asked for is what the run was begun with. More epochs, and another place of its corpus, may be.

    Args:
        settings: what was named, by the keys of a variant and of `run.json`; None is not named.

    Raises:
        LvmError: something else, with both values.
    """
    record = run.record
    variant = record["variant"]
    asked = ("seed", "size", "compile", "on_collapse", "ignore_gates", "name", "tags")
    begun = {**variant, "compile": False, **{key: record[key] for key in asked if key in record}}
    begun["variant"], begun["init"] = variant["name"], (record.get("init") or {}).get("asked")
    begun["precision"] = record.get("asked_precision")
    told = {key: value for key, value in settings.items() if value is not None and key not in ("data", "epochs")}
    differing = [
        f"{_option(key)} was {_shown(begun.get(key))} and now is {_shown(value)}"
        for key, value in told.items()
        if value != (was := begun.get(key)) and _shown(value) != _shown(was)
    ]
    if (epochs := settings.get("epochs")) and epochs < variant["epochs"]:
        differing.append(f"--epochs was {variant['epochs']} and now is {epochs}: it may only be raised")
    if differing:
        raise LvmError(
            f"a run goes on as it was begun: {'; '.join(differing)}",
            where=str(run.path),
            fix="leave it out, or begin another run",
        )


def _experiment_of(
    run: Run,
    registry: Registry,
    catalogue: Catalogue,
    device: str,
    room: int | None,
    *,
    epochs: int | None = None,
    data: str | None = None,
    save_every: str | None = None,
) -> Experiment:
    """The experiment that a run's record and its state are of, to be carried on.

    Args:
        epochs: more than the run was begun with.
        data: where its corpus lies now.
        save_every: in place of what the run was begun with.

    Raises:
        LvmError: more epochs would have made another run.
    """
    record = run.record
    state = TrainerState.load(run.state_file)
    variant = begun = variant_of(record["variant"], f"{run.path / 'run.json'}, variant")
    if data:
        variant = attrs.evolve(variant, data=data)
    if epochs and epochs > begun.epochs:
        variant = variant.override({"epochs": epochs})
    resolved = resolve(variant, registry, catalogue)
    for mistake in resolved.mistakes:
        raise mistake
    if variant.epochs != begun.epochs and (
        why := _why_not_longer(begun, variant, resolved.stages, state, record["steps"])
    ):
        raise LvmError(
            f"the run can't have {epochs} epochs: {why}",
            where=str(run.path),
            expected=f"the {begun.epochs} epochs that it was begun with",
            fix=f"begin another run with --epochs {epochs}",
        )
    every = save_every or record.get("save_every")
    conditions = Conditions(
        seed=record["seed"],
        precision=record["asked_precision"],
        device=device,
        room=room,
        compile=record.get("compile", False),
        size=record["size"],
        on_collapse=record["on_collapse"],
        save_every=Interval.of(every) if every else None,
    )
    longer = {"epochs": variant.epochs} if variant.epochs != begun.epochs else {}
    return Experiment(
        variant=variant,
        stages=resolved.stages,
        conditions=conditions,
        registry=registry,
        catalogue=catalogue,
        overrides=record["overrides"] | longer,
        ignore_gates=record["ignore_gates"],
        tags=tuple(record["tags"]),
        precision=resolve_precision(record["precision"], device),
        state=state,
    )


def _differences(run: Run, registry: Registry, device: str) -> Iterator[str]:
    """What is otherwise than when the run was begun, and may make its figures differ from those of one go."""
    if (begun := run.record["machine"]["device"]["kind"]) != device:
        yield f"begun on {begun}; it goes on on {device}"
    then = run.record["versions"]
    if changed := [f"{name} {then.get(name)} → {now}" for name, now in versions().items() if then.get(name) != now]:
        yield f"begun with other versions: {', '.join(changed)}"
    loaded = {(one.dist, one.name): one.version for one in registry.plugins.found if one.status == "ok"}
    for plugin in run.record["plugins"]:
        now = loaded.get((plugin["dist"], plugin["plugin"]))
        if now != (was := plugin["version"]):
            yield f"begun with plugin {plugin['dist']}/{plugin['plugin']} {was}; now it is {now or 'not loaded'}"


def _why_not_longer(
    begun: Variant, longer: Variant, stages: tuple[ResolvedStage, ...], state: TrainerState, steps: list[int]
) -> str:
    """Why more epochs would have made another run of the epochs that are done; nothing where they would not.

    Args:
        stages: of the longer one.
        steps: of an epoch, a number a stage.
    """
    if state.verdict:
        status, reason = state.verdict
        return f"it ended before its last ({reason or status})"
    was, now = _by_epoch(begun), _by_epoch(longer)
    for epoch in range(state.epoch):
        if was[epoch] != now[epoch]:
            return f"its stages scale with them, and epoch {epoch + 1} would not have been of stage {was[epoch][1]}"
    first = state.course["stage"]
    schedule = stages[first].schedule
    shorter, whole = (_steps_of_course(one, first, steps) for one in (begun, longer))
    if not _same_rates(schedule, shorter, whole, steps[first]):
        return f"the schedule '{begun.plan[first].schedule}' is laid out for its {shorter} steps from the first on"
    return ""


def _by_epoch(variant: Variant) -> list[Any]:
    """Of each epoch the stage: its number, its name and all else but its length."""
    return [
        (number, stage.name, attrs.evolve(stage, epochs=1))
        for number, stage in enumerate(variant.plan)
        for _ in range(stage.epochs)
    ]


def _steps_of_course(variant: Variant, first: int, steps: list[int]) -> int:
    """Steps from the stage that begins a course until the next one does."""
    total = 0
    for number, (stage, count) in enumerate(zip(variant.plan, steps, strict=False)):
        if number > first and stage.schedule:
            break
        total += stage.epochs * count if number >= first else 0
    return total


def _same_rates(schedule: Any, shorter: int, longer: int, steps_per_epoch: int) -> bool:
    """Whether a schedule gives the same rates over the shorter course, and knows nothing of its length."""
    courses = []
    for total in (shorter, longer):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        course = schedule.build(optimizer, total, steps_per_epoch)
        held, rates = course.state_dict(), []
        if not isinstance(course, torch.optim.lr_scheduler.ReduceLROnPlateau):
            for _ in range(shorter):
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                course.step()
        courses.append((repr(held), rates))
    return courses[0] == courses[1]


def _option(key: str) -> str:
    named = {"variant": "the variant", "tags": "--tag"}
    return named.get(key, f"--{key.replace('_', '-')}")


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return f"'{value}'" if isinstance(value, str) else str(value)
