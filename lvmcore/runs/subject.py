"""What a word means to whoever evaluates or loads: a run, a file of weights, a model, or a predictor by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from lvmcore.errors import LvmError, nearest
from lvmcore.expression import parse_one
from lvmcore.model_header import read_model_header
from lvmcore.registry import Registry
from lvmcore.runs.folder import all_runs, find_run
from lvmcore.runs.run import Run

if TYPE_CHECKING:
    from lvmcore.data.corpus import Corpus
    from lvmcore.evaluation.measurement import Predictor
    from lvmcore.model import LatentVectorModel

Tell = Callable[[str], None]


@attrs.frozen(eq=False)
class Subject:
    """What is to be evaluated, before its corpus is open."""

    name: str
    run: Run | None = None
    file: Path | None = None
    """Its weights; of a run or a file."""
    model: LatentVectorModel | None = None
    record: dict[str, Any] = attrs.field(factory=dict)
    """What the run, or the header of the file, says of it."""
    members: tuple[Subject, ...] = ()
    """Those whose predictions are averaged, of an ensemble."""

    @classmethod
    def of(cls, what: str | Path | Run | LatentVectorModel, folder: Path, registry: Registry, tell: Tell) -> Self:
        """Find out what is meant.

        Raises:
            LvmError: nothing of that name.
        """
        if isinstance(what, Run):
            return cls(what.path.name, run=what, file=what.model_file, record=what.record)
        if not isinstance(what, str | Path):
            return cls("model", model=what)
        if isinstance(what, str) and _is_predictor(what, registry):
            return cls(what)
        if isinstance(what, str) and "+" in what and not _is_called(what, folder):
            return cls.together([cls.of(part.strip(), folder, registry, tell) for part in what.split("+")])
        path = _exported(Path(what))
        if path.suffix == ".safetensors":
            if run := _run_of(path):
                return cls.of(run, folder, registry, tell)
            header, about, _ = read_model_header(path)
            return cls(header.run or path.stem, file=path, record=about)
        return cls.of(_run(str(what), folder, registry, tell), folder, registry, tell)

    @classmethod
    def together(cls, members: Sequence[Subject]) -> Self:
        """The ensemble of several; what is known of the first holds for all, but for the corpus."""
        corpora = [one.record.get("corpus") or {} for one in members if one.record]
        several = {
            "name": ", ".join(dict.fromkeys(str(one.get("name", "another corpus")) for one in corpora)),
            "digest": "+".join(dict.fromkeys(str(one.get("digest", "")) for one in corpora)),
        }
        known = next((one.record for one in members if one.record), {})
        name = "+".join(one.name for one in members)
        return cls(name, record={**known, "corpus": several} if known else {}, members=tuple(members))

    @property
    def data(self) -> str | None:
        """The corpus that it was trained on, as it was asked for."""
        return self._variant.get("data") or self.record.get("data")

    @property
    def corpus(self) -> str:
        """What that corpus is called."""
        return (self.record.get("corpus") or {}).get("name", "another corpus")

    @property
    def digest(self) -> str:
        return (self.record.get("corpus") or {}).get("digest", "")

    @property
    def gates(self) -> str | None:
        """The profile that the run is judged by."""
        return self._variant.get("gates")

    @property
    def _variant(self) -> dict[str, Any]:
        """What a run's record says of it; the header of a file has but its name."""
        variant = self.record.get("variant")
        return variant if isinstance(variant, dict) else {}

    def weights(self) -> Path:
        """The file of its weights.

        Raises:
            LvmError: it has none.
        """
        if self.file is None:
            what = "an ensemble and has several" if self.members else "a predictor and has no"
            said = f"'{self.name}' is {what} weights"
            raise LvmError(said, expected="a run, or a file of weights", fix="lvm runs")
        return _weights(self.file, self.run)

    def require_data(self, registry: Registry) -> None:
        """See that the corpus that it was trained on may be opened, and is here.

        Raises:
            LvmError: it isn't; a relative path was one from where the training was started. Of what a file of weights
                names, which may be anybody's, nothing is opened but a corpus by its bare name.
        """
        for one in self.members:
            one.require_data(registry)
        if self.members:
            return
        data, fix = self.data or "", "--data FILE"
        if data and self.run is None and data not in {found.name for found in registry.all("corpus")}:
            raise LvmError(
                f"'{self.name}' was trained on {data}, as its file says; what a file names is not opened unasked",
                where=str(self.file),
                expected="the corpus that it was trained on, or another",
                fix=fix,
            )
        path = Path(data).expanduser()
        if path.suffix != ".safetensors" or path.exists():
            return
        started = "" if path.is_absolute() else ", a path from the folder in which the run was started"
        raise LvmError(
            f"'{self.name}' was trained on {data}{started}; there is no such file",
            where=str(path.absolute()),
            expected="the corpus that it was trained on, or another",
            fix=fix,
        )

    def require_width(self, model: LatentVectorModel, corpus: Corpus) -> None:
        """See that a corpus holds vectors as its model reads them.

        Raises:
            LvmError: they are of another width.
        """
        if model.shape.dim != corpus.dim:
            raise LvmError(
                f"the model reads vectors of width {model.shape.dim}, the corpus holds width {corpus.dim}",
                where=f"{self.file or self.name}, {corpus.where}",
                expected="a corpus made with the same encoder",
                fix="--data, another corpus",
            )

    def require_savable(self, partial: bool) -> None:
        """See that the figures may stand in the run's folder.

        Args:
            partial: they are of another corpus, of some splits or of some windows.
        """
        if self.run is None:
            said = f"--save puts the result into a run's folder; '{self.name}' is no run"
            raise LvmError(said, fix="--json > FILE")
        if partial:
            raise LvmError(
                "--save keeps the figures that a run is known and compared by",
                where=self.name,
                expected="its own corpus, VAL and OOD, and all their windows",
                fix="--json > FILE",
            )

    def predictor(self, corpus: Corpus, registry: Registry, precision: str) -> tuple[Predictor, int]:
        """What predicts on a corpus, and the length of its context.

        Raises:
            LvmError: no weights, or they do not fit the corpus.
        """
        from lvmcore.checkpoint import load_model
        from lvmcore.device import resolve
        from lvmcore.evaluation.predictors import ensemble, predictor_of_model, yardstick

        if self.members:
            found = [one.predictor(corpus, registry, precision) for one in self.members]
            lengths = {length for _, length in found}
            if len(lengths) > 1:
                said = f"contexts of {' and '.join(map(str, sorted(lengths)))} rows can't be averaged over"
                raise LvmError(said, where=self.name, expected="models that read the same rows")
            return ensemble(self.name, [one for one, _ in found]), lengths.pop()
        if self.model is None and self.file is None:
            return yardstick(self.name, corpus, registry), 5
        model = self.model or load_model(self.weights(), registry)[0]
        self.require_width(model, corpus)
        precision = resolve(precision, corpus.device.type)
        return predictor_of_model(self.name, model.eval().to(corpus.device), precision), model.shape.context


def model_file(what: str | Path | Run, folder: Path, tell: Tell = lambda said: None) -> Path:
    """The weights of a run or of an exported folder, or the file itself.

    Raises:
        LvmError: no such run, or one without weights.
    """
    if not isinstance(what, Run) and (path := _exported(Path(what))).suffix == ".safetensors":
        return path
    run = what if isinstance(what, Run) else find_run(str(what), folder, tell)
    return _weights(run.model_file, run)


def _exported(path: Path) -> Path:
    """The weights in a folder that `lvm export` wrote; any other path as it is."""
    weights = path / "model.safetensors"
    return weights if weights.is_file() and not (path / "run.json").exists() else path


def _weights(file: Path, run: Run | None) -> Path:
    if run is not None and not run.model_file.is_file():
        expected = "a run with at least one epoch done"
        raise LvmError("the run holds no weights", where=str(run.path), expected=expected)
    return file


def _run_of(path: Path) -> Run | None:
    """The run whose weights a file is, where it lies in that one's folder."""
    if not (path.parent / "run.json").is_file():
        return None
    try:
        run = Run.open(path.parent)
    except LvmError:  # the weights may be sound all the same
        return None
    return run if run.model_file == path else None


def _run(what: str, folder: Path, registry: Registry, tell: Tell) -> Run:
    try:
        return find_run(what, folder, tell)
    except LvmError as problem:
        predictors = [found.name for found in registry.all("predictor")]
        guess = nearest(what, [*predictors, *(run.path.name for run in all_runs(folder))])
        if guess in predictors and problem.what.startswith("there is no run"):
            said = f"there is no run or predictor '{what}'; did you mean '{guess}'?"
            raise LvmError(said, where=problem.where, fix="lvm runs, or lvm list predictors") from None
        raise


def _is_called(what: str, folder: Path) -> bool:
    """Whether a path, or a run, is called so."""
    if Path(what).exists():
        return True
    try:
        find_run(what, folder)
    except LvmError:
        return False
    return True


def _is_predictor(what: str, registry: Registry) -> bool:
    try:
        return parse_one(what).name in {found.name for found in registry.all("predictor")}
    except LvmError:  # a path, perhaps
        return False
