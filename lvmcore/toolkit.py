"""Everything that lvm does, from Python; the commands call exactly this.

    lab = lvmcore.Lab(runs="runs")
    run = lab.train("p1", data="kjv", epochs=3)
    run.evaluation["val"]["A"]["margin"].value

What is heavy is imported where it is used: a listing of runs needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, overload

import attrs
from rich.console import Console

from lvmcore.errors import LvmError
from lvmcore.evaluation.document import Evaluation
from lvmcore.evaluation.protocols import DEFAULT
from lvmcore.hookspecs import KINDS
from lvmcore.plugins import Plugins
from lvmcore.registry import Registered, Registry
from lvmcore.report.comparison import Comparison, compare
from lvmcore.report.progress import WindowsBar, console_of, displayed
from lvmcore.report.tables import note
from lvmcore.runs.folder import distinct, find_listed, find_run, listed_runs
from lvmcore.runs.run import Run, command_line
from lvmcore.variants.catalogue import Catalogue, all_files, load_catalogue
from lvmcore.variants.variant import BASE, Variant

if TYPE_CHECKING:
    from lvmcore.corpora import Corpora
    from lvmcore.data.corpus import Corpus
    from lvmcore.estimate import Estimate
    from lvmcore.evaluation.controls import Control
    from lvmcore.foreign import Imported
    from lvmcore.installation import Finding
    from lvmcore.model import LatentVectorModel
    from lvmcore.prediction.forecast import Forecast
    from lvmcore.report.paired import Paired
    from lvmcore.runs.subject import Subject
    from lvmcore.serving.limits import Limits
    from lvmcore.training.validation import Plan

PathLike = str | Path
COMPILES = "the model is compiled before its first step, which may take a minute"


class Lab:
    """Trains, evaluates and compares; the runs of one folder, with one set of plugins and variants.

    Args:
        runs: the folder of runs; made with the first of them.
        plugins: single-file plugins to load besides those that are installed.
        without: names of plugins to leave out.
        registries: files of further variants and gate profiles.
        progress: where to show progress, and say what may not have been meant: a console of rich, True or False;
            None shows it in a terminal and in a notebook.
        forgiving: a fault of a file in `plugins` is told where plugins are listed, and is no error.
        device: where models compute: cpu, cuda, cuda:1, mps; auto is the accelerator where there is one.
        rows_on_device: how much of an accelerator's memory a corpus's rows may take, which else are sent batch by
            batch: `4GB`, `all`, `none`; auto is half of what is free.
    """

    def __init__(
        self,
        runs: PathLike = "runs",
        plugins: Iterable[PathLike] = (),
        without: Iterable[str] = (),
        registries: Iterable[PathLike] = (),
        progress: Console | bool | None = None,
        forgiving: bool = False,
        device: str = "auto",
        rows_on_device: str = "auto",
    ) -> None:
        self.folder = Path(runs)
        self._files, self._without = [Path(file) for file in plugins], tuple(without)
        self._registries = [Path(file) for file in registries]
        self._console, self._forgiving, self._device = progress, forgiving, device
        self._rows_on_device = rows_on_device
        self.last: Run | None = None
        """The run that was begun last."""

    # --- what there is

    @cached_property
    def registry(self) -> Registry:
        """Every component of every plugin.

        Raises:
            LvmError: a file that was named gives something broken: better now than after the training.
        """
        registry = Registry(Plugins(self._files, self._without, forgiving=self._forgiving))
        if not self._forgiving and self._files:
            from lvmcore.installation import examine

            examine(registry, builtin=False)
        return registry

    @cached_property
    def catalogue(self) -> Catalogue:
        """Variants and gate profiles: the wheel's, the plugins', `./registry.toml`, then `registries`."""
        catalogue = load_catalogue([*all_files(self.registry), *self._registries])
        catalogue.absent = self.registry.plugins.absent()
        return catalogue

    @cached_property
    def device(self) -> str:
        """Where models compute.

        Raises:
            LvmError: no such device, or it isn't there.
        """
        from lvmcore.device import find

        return find(self._device)

    @cached_property
    def room(self) -> int | None:
        """Bytes of the device that a corpus's rows may take; None for half of what is free.

        Raises:
            LvmError: it is no size.
        """
        from lvmcore.data.store.placed import room_of

        return room_of(self._rows_on_device)

    @property
    def variants(self) -> dict[str, Variant]:
        """Every variant by its name."""
        return self.catalogue.variants

    def components(self, kind: str) -> list[Registered]:
        """Every component of a kind, such as `loss`."""
        if kind not in KINDS:
            raise LvmError(f"there is no kind '{kind}'", expected=", ".join(KINDS))
        return self.registry.all(kind)

    @property
    def runs(self) -> list[Run]:
        """Every run of the folder, oldest first; one that cannot be read is `damaged`, and says why."""
        return list(listed_runs(self.folder))

    def run(self, which: str | Run) -> Run:
        """A run by its folder, its name (the newest of several), its id, its number, or `latest`.

        Raises:
            LvmError: there is none, or there are several.
        """
        return which if isinstance(which, Run) else find_run(which, self.folder, self._say)

    def corpus(self, data: str | Corpus | None = None) -> Corpus:
        """Open a corpus: a file, or an expression; by default that of `base`."""
        from lvmcore.data.open import open_corpus

        return open_corpus(self.catalogue.variant(BASE).data if data is None or data == "" else data, self.registry)

    @cached_property
    def corpora(self) -> Corpora:
        """What makes corpora and looks into them: `lab.corpora.import_("vectors.npz")`."""
        from lvmcore.corpora import Corpora

        return Corpora(self.registry, self._say, self.console)

    # --- training

    def plan(self, variant: str | Variant | None = None, **settings: Any) -> Plan:
        """Resolve a variant with settings of one's own, as `train` does first.

        Raises:
            LvmError: an unknown name, an option out of range, or a setting that is none.
        """
        from lvmcore.training.validation import plan

        named = variant if isinstance(variant, Variant) else self.catalogue.variant(variant or BASE)
        return plan(named, settings, self.registry, self.catalogue)

    def estimate(
        self,
        variant: str | Variant | None = None,
        *,
        size: str = "full",
        precision: str = "fp32",
        compile: bool = False,
        **settings: Any,
    ) -> Estimate:
        """What a run would be, without making it: parameters, memory, windows, steps, and how long it takes here.

        On the device `meta` nothing is computed or takes memory, and no time is told.
        """
        from lvmcore.device import ON_PAPER
        from lvmcore.estimate import estimate

        plan = self.plan(variant, **settings)
        return estimate(
            plan.variant,
            plan.resolved.stages,
            self.corpus(plan.variant.data),
            self.registry,
            size,
            precision,
            self._device if self._device == ON_PAPER else self.device,
            self.room,
            compile,
        )

    def train(
        self,
        variant: str | Variant | None = None,
        *,
        seed: int = 0,
        size: str = "full",
        precision: str = "fp32",
        compile: bool = False,
        on_collapse: str = "stop",
        ignore_gates: bool = False,
        evaluate: bool = True,
        init: PathLike | Run | None = None,
        save_every: str | None = None,
        name: str = "",
        tags: Iterable[str] = (),
        listeners: Iterable[object] = (),
        **settings: Any,
    ) -> Run:
        """Train a variant, evaluate it, and keep it all in a folder of its own.

        Args:
            variant: a name of `registry.toml`, or a variant; the common settings without one.
            size: `toy` for the architecture's small preset.
            precision: fp32, bf16, tf32 on a GPU, or auto: bf16 where the processor multiplies it natively.
            compile: run the steps through torch.compile.
            on_collapse: stop, rollback or continue.
            ignore_gates: go on when a stage's gate fails.
            evaluate: with 5CAT, when it is trained.
            init: a run, or a file of weights, to begin with in place of drawn weights.
            save_every: what resuming needs is saved every `500 steps` or `10 min`, besides at the end of every epoch.
            name: what the run is called; by default as the variant.
            tags: words to find it by.
            listeners: objects with `@hookimpl` methods, which hear of this run as a plugin would.
            settings: whatever a variant says: arch, loss, inputs, sampler, schedule, optimizer, data, context,
                epochs, batch_size, lr, weight_decay, clip, ema, patience, best, gates.

        Raises:
            LvmError: a mistake in what was asked for; nothing is left behind. Later ones leave a run with its status.
        """
        from lvmcore.runs.subject import model_file

        called = name or (variant.name if isinstance(variant, Variant) else variant) or settings.get("arch") or BASE
        # before there is a run that would be `latest`
        weights = None if init is None else model_file(init, self.folder, self._say)
        # the folder is there before anything heavy is imported: whoever looks sees that a run has begun
        run = self.last = Run.create(self.folder, called, command_line())
        try:
            plan = self.plan(variant, **settings)
            from lvmcore.device import resolve
            from lvmcore.experiment import Experiment
            from lvmcore.training.saving import Interval
            from lvmcore.training.trainer import Conditions

            taken = resolve(precision, self.device)
            every = Interval.of(save_every) if save_every else None
            conditions = Conditions(
                seed=seed,
                precision=precision,
                device=self.device,
                room=self.room,
                compile=compile,
                size=size,
                on_collapse=on_collapse,
                save_every=every,
            )
            for said in (*plan.notes, *([COMPILES] if compile else [])):
                self._say(said)
        except BaseException:
            run.delete()
            raise
        with displayed(self.console, plan.variant) as display:
            experiment = Experiment(
                variant=plan.variant,
                stages=plan.resolved.stages,
                conditions=conditions,
                registry=self.registry,
                catalogue=self.catalogue,
                overrides=plan.changed,
                ignore_gates=ignore_gates,
                evaluated=evaluate,
                tags=tuple(tags),
                init=weights,
                asked_init=_name_of(init),
                precision=taken,
                own=(*listeners, *([display] if display else [])),
                progress=display.evaluating if display else _silent,
            )
            experiment.carry_out(run)
        return run

    def resume(
        self,
        which: str | Run = "latest",
        *,
        epochs: int | None = None,
        data: str | None = None,
        save_every: str | None = None,
        evaluate: bool = True,
        listeners: Iterable[object] = (),
        **settings: Any,
    ) -> Run:
        """Go on with a run that stopped, whatever stopped it: the result is that of one go, to the bit on a processor.

        Args:
            epochs: more of them, also of a finished run, where its schedule does not depend on how many they are.
            data: where its corpus lies now, if it has moved.
            save_every: in place of what it was begun with.
            evaluate: with 5CAT, when it is trained.
            listeners: as in `train`.
            settings: what the run is thought to be, as `train` takes it; nothing of it may differ.

        Raises:
            LvmError: it has no state, another process works on it, or something is asked for that it is not.
        """
        from lvmcore.device import threads
        from lvmcore.resume import take_up

        run = self.last = self.run(which)
        if "init" in settings:
            settings["init"] = _name_of(settings["init"]) or None
        changes = {"epochs": epochs, "data": data, "save_every": save_every}
        experiment = take_up(run, self.registry, self.catalogue, self._say, changes, settings, self.device, self.room)
        if experiment is None:
            return run
        if experiment.conditions.compile:
            self._say(COMPILES)
        with displayed(self.console, experiment.variant) as display, threads(run.record["machine"]["threads"]):
            experiment = attrs.evolve(
                experiment,
                evaluated=evaluate,
                own=(*listeners, *([display] if display else [])),
                progress=display.evaluating if display else _silent,
            )
            experiment.carry_out(run)
        return run

    # --- evaluation

    def evaluate(
        self,
        what: str | Path | Run | LatentVectorModel,
        data: str | Corpus | None = None,
        *,
        protocol: str = DEFAULT,
        checks: str = "",
        splits: Iterable[str] = ("val", "ood"),
        gates: str | None = None,
        max_windows: int | None = None,
        precision: str = "fp32",
        save: bool = False,
    ) -> Evaluation:
        """Evaluate a run, a model, a file of weights, or a predictor by name, with the yardsticks beside it.

        Several names with `+` between them are an ensemble: the mean of what they predict, each at unit length.

        Args:
            data: the corpus; by default the one that the model was trained on, else that of `base`.
            protocol: an expression, such as `5cat,resamples=2000`.
            checks: an expression: checks of plugins with options of their own, such as `span:0.5`.
            gates: the profile to judge by; by default the run's, else that of `base`.
            max_windows: at most so many a split.
            save: put the result into the run's folder.

        Raises:
            LvmError: there is nothing of that name, or it does not fit the corpus.
        """
        from lvmcore.evaluation.evaluator import Evaluator
        from lvmcore.evaluation.settings import Settings
        from lvmcore.experiment import save_evaluation

        splits = tuple(splits)
        subject, corpus = self._subject(what, data)
        elsewhere = subject.digest not in ("", corpus.digest)
        if elsewhere:
            self._say(f"trained on {subject.corpus}, evaluated on {corpus.info.name}, which is another corpus")
        if save:
            subject.require_savable(elsewhere or bool(max_windows) or set(splits) != {"val", "ood"})
        predictor, context = subject.predictor(corpus, self.registry, precision)
        settings = Settings(
            protocol=protocol,
            checks=checks,
            splits=splits,
            profile=gates or subject.gates or self.catalogue.variant(BASE).gates,
            context=context,
            max_windows=max_windows,
        )
        with WindowsBar(self.console) as bar:
            evaluator = Evaluator(corpus, self.registry, self.catalogue, settings, bar.evaluating)
            found = evaluator.evaluate(predictor)
        for fault in evaluator.listeners.faults.values():
            self._say(fault)
        if save and subject.run:
            save_evaluation(subject.run, found)
        return found

    def predict(
        self,
        what: str | Path | Run | LatentVectorModel,
        text: str | Path,
        data: str | Corpus | None = None,
        *,
        steps: int = 1,
        nearest: int = 5,
        encoder: str = "",
        chunker: str = "",
        precision: str = "fp32",
    ) -> Forecast:
        """What follows a text: the chunks of a corpus that are nearest to what a model predicts.

        Args:
            what: as for `evaluate`.
            text: the text itself, or the path of a file of it.
            data: the corpus to look in; by default the one that the model was trained on.
            steps: how many chunks ahead, each prediction fed back.
            nearest: how many chunks a step.
            encoder, chunker: expressions, where the corpus does not say what it was made by.

        Raises:
            LvmError: there is nothing of that name, or it does not fit the corpus; a text of too few chunks.
        """
        from lvmcore.prediction.forecast import forecast

        subject, corpus = self._subject(what, data)
        predictor, context = subject.predictor(corpus, self.registry, precision)
        found = forecast(
            predictor,
            context,
            text,
            corpus,
            self.registry,
            steps=steps,
            count=nearest,
            encoder=encoder,
            chunker=chunker,
        )
        for said in found.notes:
            self._say(said)
        return found

    @overload
    def compare(
        self, *runs: str | Run, reported: bool = ..., columns: str = ..., paired: Literal[False] = ...
    ) -> Comparison: ...

    @overload
    def compare(self, *runs: str | Run, reported: bool = ..., columns: str = ..., paired: Literal[True]) -> Paired: ...

    def compare(
        self, *runs: str | Run, reported: bool = False, columns: str = "", paired: bool = False
    ) -> Comparison | Paired:
        """Set runs side by side: all of the folder, or those that are named.

        Args:
            reported: beside the figures published for the variants.
            columns: figures to show in place of the default ones, such as `val_cos,A.direction,F.outside`.
            paired: two runs, window by window: the difference of every figure, with its interval.
        """
        found = [self.run(one) for one in runs] if runs else self.runs
        if paired:
            from lvmcore.report.paired import compare_paired

            if len(found) != 2:
                raise LvmError(
                    f"a paired comparison is of two runs, not {len(found)}", fix="lvm compare RUN RUN --paired"
                )
            first, second = found
            return compare_paired(first, second, self.registry)
        return compare(distinct(found), self.registry, self.variants.values() if reported else None, columns)

    def load(self, what: str | Path | Run) -> LatentVectorModel:
        """The model of a run or of a file, ready to predict: `model.predict(context)`.

        Raises:
            LvmError: there is none, or a plugin that it needs is missing.
        """
        from lvmcore.checkpoint import load_model
        from lvmcore.runs.subject import model_file

        return load_model(model_file(what, self.folder, self._say), self.registry)[0]

    def export(
        self, what: str | Path | Run, folder: PathLike, *, formats: Iterable[str] = (), licence: str = ""
    ) -> list[Path]:
        """Write a model as a folder that the Hugging Face Hub takes: weights, config and a model card.

        Args:
            what: a run, or a file of weights.
            folder: a new one.
            formats: `onnx`, `torch-export`: graphs beside the weights, which need no lvm.
            licence: of the weights, as the Hub names it: `apache-2.0`.

        Raises:
            LvmError: there is nothing of that name, the folder is there, or no graph can be drawn of the model.
        """
        from lvmcore.export.folder import export
        from lvmcore.report.details import details_of, status_text
        from lvmcore.runs.subject import Subject

        subject = Subject.of(what, self.folder, self.registry, self._say)
        run = subject.run
        return export(
            subject.weights(),
            Path(folder),
            self.registry,
            name=run.record["name"] if run else subject.name,
            evaluation=run.document_by() if run else None,
            details=details_of(1, run, self.registry, subject.name, status_text(run)) if run else None,
            formats=formats,
            licence=licence,
        )

    def import_checkpoint(
        self,
        file: PathLike,
        into: PathLike | None = None,
        *,
        arch: str = "",
        inputs: str | None = None,
        context: int = 5,
        force: bool = False,
    ) -> tuple[Path, Imported]:
        """Read a checkpoint of the older tools, FILE.pt, and write it as a file of ours; gives that, and the model.

        Args:
            into: by default the same name with the suffix .safetensors.
            arch, inputs: what the tensors do not tell.
            context: rows that it reads, which no file says.
            force: overwrite the file.

        Raises:
            LvmError: it cannot be read without running something, or no architecture knows its tensors.
        """
        from lvmcore.checkpoint import save_model
        from lvmcore.files import require_absent
        from lvmcore.foreign import Foreign, adopt

        path = Path(file)
        target = Path(into) if into is not None else path.with_suffix(".safetensors")
        require_absent(target, force)
        foreign = Foreign.read(path)
        found = adopt(foreign, self.registry, arch=arch, inputs=inputs, context=context)
        target.parent.mkdir(parents=True, exist_ok=True)
        save_model(target, found.model, foreign.about())
        return target, found

    def serve(
        self,
        what: str | Path | Run,
        data: str | Corpus | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 9007,
        uds: PathLike | None = None,
        names: Iterable[str] = (),
        precision: str = "fp32",
        limits: Limits | None = None,
        log: TextIO | None = None,
    ) -> None:
        """Serve a model over HTTP until SIGINT or SIGTERM; needs the extra `serve`.

        Args:
            what: a run, its id, `latest`, or a file of weights.
            data: the corpus in which /nearest looks; by default the one that the model was trained on, if it is here.
            host: an address of this machine; beyond loopback, LVM_TOKEN must hold a token.
            uds: a Unix socket to listen to instead.
            names: by which clients call the host, besides `host` and localhost.
            limits: of requests; None for the usual ones.
            log: where a line is written for each request.

        Raises:
            LvmError: there is nothing of that name, it is no model, there is no token, or the extra is missing.
            MachineError: nothing can listen there.
        """
        try:
            from lvmcore.serving.door import Address
            from lvmcore.serving.server import serve
        except ModuleNotFoundError as problem:
            fix = "pip install 'lvmcore[serve]'"
            raise LvmError(f"lvm serve needs {problem.name}, which is not installed", fix=fix) from None
        from lvmcore.runs.subject import Subject

        subject = Subject.of(what, self.folder, self.registry, self._say)
        address = Address(host, port, None if uds is None else Path(uds), frozenset(names))
        corpus = self._corpus_beside(subject, data)
        serve(subject, self.registry, corpus, precision, self.device, address, limits, log, self._tell, self._say)

    def delete(self, run: str | Run) -> None:
        """Remove a run's folder with all that is in it; nothing brings it back, and later ones move up a number.

        Raises:
            LvmError: there is none, or a living process works on it or serves it.
        """
        (run if isinstance(run, Run) else find_listed(run, self.folder, self._say)).delete()

    # --- around it

    def new_plugin(self, folder: PathLike, **names: str) -> list[Path]:
        """Write a plugin package to begin with: `lab.new_plugin("lvm-mine", loss="mine")`; gives its files."""
        from lvmcore.scaffolds.package import Package

        return Package.of(Path(folder), names, self.registry).write(Path(folder))

    def check(self) -> list[Finding]:
        """Whether the installation is sound: versions, processor, plugins, variants, corpora, evaluator."""
        from lvmcore.installation import findings

        return list(findings(self.registry, lambda: self.catalogue))

    def controls(self) -> list[Control]:
        """The evaluator put to the test: what must pass passes, and what must fail fails. About a minute."""
        from lvmcore.evaluation.controls import Controls

        return list(Controls(self.registry, self.catalogue))

    @cached_property
    def console(self) -> Console:
        """Where progress is shown; a quiet one where it is not."""
        return console_of(self._console)

    def _subject(self, what: str | Path | Run | LatentVectorModel, data: str | Corpus | None) -> tuple[Subject, Corpus]:
        """What is meant, and the corpus to try it on: by default the one that it was trained on."""
        from lvmcore.runs.subject import Subject

        subject = Subject.of(what, self.folder, self.registry, self._say)
        if data is None:
            subject.require_data(self.registry)
        return subject, self.corpus(data or subject.data).on(self.device, self.room)

    def _corpus_beside(self, subject: Subject, data: str | Corpus | None) -> Corpus | None:
        """The corpus that is asked for; else the one that a model was trained on, or a word about why it isn't here."""
        if data is not None or not subject.data:
            return None if data is None else self.corpus(data).on(self.device, self.room)
        try:
            subject.require_data(self.registry)
            return self.corpus(subject.data).on(self.device, self.room)
        except LvmError as problem:
            self._say(f"no corpus to look into: {problem.what}")
            return None

    def _say(self, said: str) -> None:
        self.console.print(note(said))

    def _tell(self, said: str) -> None:
        self.console.print(said)


def _name_of(init: PathLike | Run | None) -> str:
    """How weights to begin with were asked for."""
    return str(init.path if isinstance(init, Run) else init or "")


def _silent(what: str, done: int, total: int) -> None:
    """Progress of an evaluation that nobody looks at."""


def load(path: PathLike, plugins: Iterable[PathLike] = ()) -> LatentVectorModel:
    """A model from a run's folder or a file of weights: `lvmcore.load("model.safetensors").predict(context)`.

    Args:
        plugins: single-file plugins that it needs.
    """
    return Lab(plugins=plugins).load(path if isinstance(path, Path) else Path(path))
