"""Every hook of lvm and every kind of component, each declared once, in the order of a run's life.

A plugin is a module with `@lvmcore.hookimpl` functions of these names. A hook may take fewer arguments than
are listed here, but no others. The hooks that give components are generators or return lists of pairs
`(name, component class)`, or `(name, "module:Class")`, whose module is imported when the component is first asked
for: a command that needs no torch then imports none.

What a kind is stands above its hook; the registry, `lvm list`, `lvm new plugin`, the conformance kit and the tables of
the documentation follow from it. What a new plugin begins with lies beside this file, in `scaffolds/KIND.*.template`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from lvmcore.timing import LossTiming, Timing

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.runs.run import Run

hookspec = pluggy.HookspecMarker("lvm")
hookimpl = pluggy.HookimplMarker("lvm")

Components = Iterable[tuple[str, type | str]]


@attrs.frozen
class Kind:
    """One kind of component."""

    name: str
    plural: str
    hook: str
    use: str
    """The command that uses a component of it; `{name}` stands for the component's."""
    shared: type[Timing] | None = None
    """The options that all its terms have besides their own."""
    scaled: bool = False
    """Whether the shared timing multiplies the first option of a component, which must then be a number."""


KINDS: dict[str, Kind] = {}
"""Every kind by its name, in the order of a run's life."""


def kind(
    name: str, plural: str, *, use: str, shared: type[Timing] | None = None, scaled: bool = False
) -> Callable[[Callable[[], Components]], Callable[[], Components]]:
    """Declare a kind by the hook that gives its components."""

    def declare(hook: Callable[[], Components]) -> Callable[[], Components]:
        KINDS[name] = Kind(name, plural, hook.__name__, use, shared, scaled)
        return hookspec(hook)

    return declare


@hookspec
def lvm_variants() -> Iterable[Path]:  # pyright: ignore[reportReturnType]
    """TOML files of variants and gate profiles."""


@kind("corpus", "corpora", use="lvm run --data {name} --size toy --epochs 2")
def lvm_corpora() -> Components:  # pyright: ignore[reportReturnType]
    """Corpora by name, where `--data` is no file: `build() -> Corpus`."""


@kind("reader", "readers", use="lvm data build mine texts --reader {name}")
def lvm_readers() -> Components:  # pyright: ignore[reportReturnType]
    """Readers of files: `build() -> Callable[[Source], Iterator[Article]]`.

    The class declares its `suffixes`, such as `(".md", ".markdown")`, by which it is chosen where no reader is named.
    What is compressed is unpacked before a reader sees it. An article is a stream of paragraphs, to be read before the
    next article is asked for.
    """


@kind("chunker", "chunkers", use="lvm data build mine texts --chunker {name}")
def lvm_chunkers() -> Components:  # pyright: ignore[reportReturnType]
    """Chunkers, paragraphs → chunks: `build(tokenizer: Tokenizer | None) -> Callable[[Iterable[str]], Iterator[str]]`.

    Called with the paragraphs of an article, it gives its chunks in order: stripped, none empty. A string that ends in
    white space goes on in the next one. The tokenizer is the encoder's, None where it has none.
    """


@kind("encoder", "encoders", use="lvm data build mine texts --encoder {name}")
def lvm_encoders() -> Components:  # pyright: ignore[reportReturnType]
    """Encoders, texts → vectors: `build(device: str, precision: str) -> Encoding`.

    Device and precision are as for training: `auto`, `cpu`, `cuda`, `mps`; `fp32`, `tf32`, `bf16`, `auto`.
    """


@kind("architecture", "architectures", use="lvm run --arch {name} --size toy --epochs 2")
def lvm_architectures() -> Components:  # pyright: ignore[reportReturnType]
    """Architectures: `build(shape: Shape) -> nn.Module`, or `build(shape, inner)` to wrap another.

    The module maps (B, C, D_in) to the raw prediction (B, D). In an expression the first term is the base, and each
    later one wraps it. `--size toy` takes the small preset of a component, and options that are written out still hold.
    D and C come from the corpus and the variant, never from an option. Where it, or a part of it, has a method
    `fit(windows: Windows)`, this is called with the training windows once, before the first step; what it keeps of
    them is to be a parameter or a buffer.
    """


@kind("input", "inputs", use="lvm run --inputs {name} --size toy --epochs 2", shared=Timing, scaled=True)
def lvm_inputs() -> Components:  # pyright: ignore[reportReturnType]
    """Input encodings: `build(shape: Shape) -> nn.Module` with `forward(context, strength)`.

    It maps (B, C, D_in) to (B, C, D_in or wider). `strength` is the scheduled value of the first option. They are
    applied in order before the architecture sees the context; the losses see the clean one.
    """


@kind("loss", "losses", use="lvm run --loss mse+{name}:0.1 --size toy --epochs 2", shared=LossTiming)
def lvm_losses() -> Components:  # pyright: ignore[reportReturnType]
    """Losses: `build() -> Callable[[Step], Tensor]`, a scalar. Weight and schedule are the objective's.

    In what they say of themselves p is the prediction at unit length, and raw the one before.
    """


@kind("sampler", "samplers", use="lvm run --sampler {name} --size toy --epochs 2")
def lvm_samplers() -> Components:  # pyright: ignore[reportReturnType]
    """Samplers, which training windows in which order: `build(windows) -> Callable[[int, Generator], Indices]`.

    Called with the epoch and a seeded generator, it gives the indices of the windows, in training order: a flat int64
    tensor, or whatever has a length and gives one for `[a:b]`, such as `shuffled(count, generator)`.
    """


@kind("optimizer", "optimizers", use="lvm run --optimizer {name} --size toy --epochs 2")
def lvm_optimizers() -> Components:  # pyright: ignore[reportReturnType]
    """Optimizers: `build(parameters, lr, weight_decay) -> Optimizer`, one of torch's or one that behaves like it.

    Learning rate and weight decay are the variant's.
    """


@kind("schedule", "schedules", use="lvm run --schedule {name} --size toy --epochs 2")
def lvm_schedules() -> Components:  # pyright: ignore[reportReturnType]
    """Schedules of the learning rate: `build(optimizer, steps, steps_per_epoch) -> LRScheduler`.

    A ReduceLROnPlateau is stepped with the validation loss after each epoch, any other after each step.
    """


@kind("predictor", "predictors", use="lvm eval {name}")
def lvm_predictors() -> Components:  # pyright: ignore[reportReturnType]
    """Predictors that need no training: `build(corpus, context) -> Callable[[Tensor], Tensor]`.

    It maps contexts (B, C, D) to predictions (B, D). They stand beside every model as its yardsticks, and are
    evaluated by name as well. The class may declare a `role`: `cheat`, as where it declares
    none; `baseline`, what gain is measured against; `oracle`, which is called with the targets (B, D) as well; or
    `law`, which is evaluated by name alone.
    """


@kind("check", "checks", use="lvm eval copy-last --json")
def lvm_checks() -> Components:  # pyright: ignore[reportReturnType]
    """Further tests of the evaluation: `figures(context)` declares what is measured, `build()` measures it.

    `figures(context) -> tuple[Figure, ...]`, `build() -> Callable[[Chunk], dict[str, Tensor]]`: values (B,) by the
    figure's name, NaN where not measurable. The class has a `letter` and a `title`. What is declared stands under the
    letter in the result, with intervals; gates may name it, `lvm compare` shows and pairs it.
    """


@kind("protocol", "protocols", use="lvm eval copy-last --protocol {name}")
def lvm_protocols() -> Components:  # pyright: ignore[reportReturnType]
    """Protocols of evaluation: `build() -> Protocol`, its tests and how they are taken together.

    Figures are known by the protocol's name and the options that differ from their defaults.
    """


@kind("report", "reports", use="lvm compare --format {name}")
def lvm_reports() -> Components:  # pyright: ignore[reportReturnType]
    """Formats of `lvm compare`: `build() -> Callable[[Comparison], str | rich renderable]`."""


@hookspec
def lvm_run_started(run: Run) -> None:
    """A run is about to train, or to go on: its folder exists and its variant is resolved.

    Of one that goes on `run.record["resumed"]` says from where; its stage and its epoch are then begun once more.
    """


@hookspec
def lvm_stage_started(run: Run, stage: Any, steps_per_epoch: int) -> None:
    """A stage begins. `stage` is a `SettledStage`; a run without stages has one."""


@hookspec
def lvm_epoch_started(run: Run, epoch: int) -> None:
    """An epoch begins; epochs count from 1 over the whole run."""


@hookspec
def lvm_step_finished(run: Run, step: int, terms: dict[str, Tensor]) -> None:
    """An optimiser step is done; `terms` holds each weighted term, detached. `step` counts from 1 in its epoch."""


@hookspec
def lvm_epoch_finished(run: Run, record: dict[str, Any]) -> None:
    """An epoch is done and validated; `record` is its line of epochs.jsonl."""


@hookspec
def lvm_evaluated(model: Any, result: dict[str, Any]) -> None:
    """An evaluation is done; `result` is the JSON document."""


@hookspec
def lvm_run_finished(run: Run) -> None:
    """A run has ended, whatever its status; everything is written."""
