"""lvm eval: 5CAT of a model or of a yardstick."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lvm_cli.console import console
from lvm_cli.options import (
    json_option,
    open_catalogue,
    open_registry,
    open_run,
    plugin_options,
    print_json,
    registry_option,
    runs_option,
)
from lvmcore.errors import LvmError, nearest
from lvmcore.expression import parse_one
from lvmcore.runs.folder import all_runs
from lvmcore.runs.run import DEFAULT_PROTOCOL, Run

if TYPE_CHECKING:
    from lvmcore.data.corpus import Corpus
    from lvmcore.evaluation.measurement import Predictor
    from lvmcore.registry import Registry

SPLITS = ("train", "val", "ood")


def _splits(ctx: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
    splits = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not splits or set(splits) - set(SPLITS):
        raise click.BadParameter(f"'{text}' is no list of splits, such as val,ood")
    return splits


@click.command("eval")
@click.argument("what", metavar="MODEL|PREDICTOR")
@click.option(
    "--data",
    metavar="FILE|EXPR",
    help="The corpus; by default the one that the model was trained on, else wiki.",
)
@click.option("--protocol", type=click.Choice(["5cat", "5cat-2025"]), default="5cat", show_default=True)
@click.option("--split", "splits", default="val,ood", show_default=True, callback=_splits, help="Splits to evaluate.")
@click.option("--gates", "profile", default=None, metavar="PROFILE", help="The gate profile.  [default: table]")
@click.option("--max-windows", type=click.IntRange(min=1), help="At most so many windows a split.  [default: all]")
@click.option("--precision", type=click.Choice(["fp32", "bf16", "auto"]), default="fp32", show_default=True)
@click.option("--save", is_flag=True, help="Put the result into the run's folder.")
@registry_option
@plugin_options
@runs_option
@json_option
def command(
    what: str,
    data: str | None,
    protocol: str,
    splits: tuple[str, ...],
    profile: str | None,
    max_windows: int | None,
    precision: str,
    save: bool,
    registries: tuple[Path, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    root: Path,
    as_json: bool,
) -> None:
    """Evaluate a model (a run, its id, `latest`, or a .safetensors file) or a yardstick by name.

    \b
    lvm eval latest
    lvm eval copy-last --data kjv
    """
    from lvm_cli.progress import WindowsBar
    from lvmcore.data.open import open_corpus
    from lvmcore.evaluation.evaluator import Evaluator, save_columns
    from lvmcore.evaluation.settings import Settings

    registry = open_registry(files, without)
    catalogue = open_catalogue(registry, registries)
    base = catalogue.variant("base")
    run = _run(what, root, registry)
    if save and run is None:
        raise LvmError(f"--save puts the result into a run's folder; '{what}' is no run", fix="--json > FILE")
    variant = run.record.get("variant", {}) if run else {}
    trained = run.record if run else _header(what)
    corpus = open_corpus(data or variant.get("data") or trained.get("data") or base.data, registry)
    elsewhere = trained.get("corpus", {}).get("digest", corpus.digest) != corpus.digest
    if elsewhere:
        name = trained["corpus"].get("name", "another corpus")
        click.echo(f"lvm: note: trained on {name}, evaluated on {corpus.info.name}, which is another corpus", err=True)
    if save and (elsewhere or max_windows or set(splits) != {"val", "ood"}):
        raise LvmError(
            "--save keeps the figures that a run is known and compared by",
            where=what,
            expected="its own corpus, VAL and OOD, and all their windows",
            fix="--json > FILE",
        )
    predictor, context = _predictor(what, run, corpus, registry, precision)
    settings = Settings(
        protocol=protocol,
        splits=splits,
        profile=profile or variant.get("gates") or base.gates,
        context=context,
        max_windows=max_windows,
    )
    out = console(stderr=as_json)
    with WindowsBar(out) as bar:
        evaluator = Evaluator(corpus, registry, catalogue, settings, bar.evaluating)
        result = evaluator.evaluate(predictor)
    if save and run:
        run.write_evaluation(result.document)
        if protocol == DEFAULT_PROTOCOL:
            save_columns(run.path / "windows.safetensors", result.columns, evaluator.windows)
    if as_json:
        print_json(result.document)
        return
    from lvm_cli.reasons import reasons
    from lvm_cli.tables import beside, five_tests, windows

    out.print(five_tests(result.document))
    out.print(windows(result.document))
    if result.document["yardsticks"]:
        out.print(beside(result.document))
    out.print(reasons(result.document))


def _header(what: str) -> dict[str, Any]:
    """What a model file says of itself; nothing of what is none, which is told when it is read."""
    if Path(what).suffix != ".safetensors" or not Path(what).is_file():
        return {}
    import safetensors

    try:
        with safetensors.safe_open(what, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get("lvm", "{}"))
    except (safetensors.SafetensorError, OSError, ValueError):
        return {}
    return header if isinstance(header, dict) and header.get("kind") == "model" else {}


def _run(what: str, root: Path, registry: Registry) -> Run | None:
    """The run that is meant; None where it is a predictor or a file of weights."""
    if _is_predictor(what, registry) or Path(what).suffix == ".safetensors":
        return None
    try:
        return open_run(what, root)
    except LvmError as problem:
        predictors = [found.name for found in registry.all("predictor")]
        guess = nearest(what, [*predictors, *(run.path.name for run in all_runs(root))])
        if guess in predictors and problem.what.startswith("there is no run"):
            said = f"there is no run or predictor '{what}'; did you mean '{guess}'?"
            raise LvmError(said, where=problem.where, fix="lvm runs, or lvm list predictors") from None
        raise


def _is_predictor(what: str, registry: Registry) -> bool:
    try:
        return parse_one(what).name in {found.name for found in registry.all("predictor")}
    except LvmError:  # a path, perhaps
        return False


def _predictor(what: str, run: Run | None, corpus: Corpus, registry: Registry, precision: str) -> tuple[Predictor, int]:
    """The predictor and the length of its context."""

    from lvmcore.checkpoint import load_model
    from lvmcore.device import resolve
    from lvmcore.evaluation.predictors import predictor_of_model, yardstick

    if run is None and _is_predictor(what, registry):
        return yardstick(what, corpus, registry), 5
    if run is not None and not run.model_file.is_file():
        raise LvmError("the run holds no weights", where=str(run.path), expected="a run with at least one epoch done")
    file = run.model_file if run else Path(what)
    model, header = load_model(file, registry)
    if model.shape.dim != corpus.dim:
        raise LvmError(
            f"the model reads vectors of width {model.shape.dim}, the corpus holds width {corpus.dim}",
            where=f"{file}, {corpus.where}",
            expected="a corpus made with the same encoder",
            fix="--data, another corpus",
        )
    name = run.path.name if run else header.get("run", file.stem)
    return predictor_of_model(name, model, resolve(precision)), model.shape.context
