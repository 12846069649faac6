"""Runs every system of the comparison of 2025-11-02, a scan of the guards' weight, and some systems taken apart.

Resumable; run by hand.

    python examples/reproduction/reproduce.py                         # on wiki: what results/ lacks
    python examples/reproduction/reproduce.py --novels FILE.safetensors --only novels
    python examples/reproduction/reproduce.py --docs FILE.safetensors --only docs
    python examples/reproduction/reproduce.py --list

Each run is `lvm run` and, of the same weights, `lvm eval --protocol 5cat-2025`; its folder goes to results/ without the
weights, which --keep keeps. A run whose folder is there is not repeated: stop and start as you like. Then

    lvm compare --runs examples/reproduction/results/wiki --reported
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

sys.path.insert(0, str(Path(__file__).parents[1]))
from units import carry_out_all, lvm

HERE = Path(__file__).parent
RESULTS = HERE / "results"
GROUPS = ("wiki", "scan", "apart", "novels", "docs")
ROWS = (
    "p1", "p2", "p3", "p4", "p5", "v3-directional", "directional-fix", "amn-790k", "amn-584k-fresh",
    "transformer-optimized", "p5-retry-005", "p5-retry-010", "p5.1", "p6b", "p7", "p8", "lstm", "gru",
)  # fmt: skip
"""584k-stable is left out: its recipe is that of p1, on other data."""
WEIGHTS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
YARDSTICKS = "p1-s0"
"""The run whose evaluation keeps the yardsticks."""
SMALLER = {
    "transformer": "transformer:256,layers=2",
    "transformer+residual:0.5": "transformer:256,layers=2+residual:0.5",
    "transformer+anchored": "transformer:256,layers=2+anchored",
    "mixture": "mixture:256,layers=2",
    "lstm": "lstm:256",
    "gru": "gru:256,layers=2",
}
"""Architectures at the width that the hours of the novels and of `docs` reach."""
DOCS = {"amn-790k": 12, "gru": 8, "p1": 5}
"""What is run on `docs`, for so many epochs: one is eleven of the novels', and seventy of those of `wiki`."""


@attrs.frozen(kw_only=True)
class Unit:
    """One run: what `lvm run` is given, and the folder that it goes to."""

    group: str
    label: str
    variant: str
    data: str
    seed: int = 0
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return RESULTS / self.group / f"{self.label}-s{self.seed}"

    @property
    def done(self) -> bool:
        return self.folder.is_dir()

    @property
    def words(self) -> list[str]:
        return [self.variant, "--data", self.data, "--seed", str(self.seed), "--precision", "auto", *self.options]


def units(novels: str | None, docs: str | None) -> Iterator[Unit]:
    """Every run in the order of its worth: the rows once, the scan, the larger corpora, then the other seeds."""
    yield from rows("wiki", "wiki", 0)
    yield from scan()
    yield from apart()
    if novels:
        yield from rows("novels", novels, 0)
    if docs:
        yield from longer(docs)
    for seed in (1, 2):
        yield from rows("wiki", "wiki", seed)


def rows(group: str, data: str, seed: int) -> Iterator[Unit]:
    """The eleven rows and what followed them; P1 after 3 epochs, and the curriculum with its gates ignored."""
    chosen: list[tuple[str, str, tuple[str, ...]]] = [(name, name, ()) for name in ROWS]
    chosen.insert(1, ("p1-3-epochs", "p1", ("--epochs", "3")))
    chosen.insert(6, ("p5-gates-ignored", "p5", ("--ignore-gates",)))
    for label, variant, options in chosen:
        smaller = narrowed(variant) if group == "novels" else ()
        yield Unit(group=group, label=label, variant=variant, data=data, seed=seed, options=(*options, *smaller))


def longer(data: str) -> Iterator[Unit]:
    """Three of the rows, at the width of the novels, where there is far more text: two seeds."""
    for seed in (0, 1):
        for name, epochs in DOCS.items():
            options = ("--epochs", str(epochs), *narrowed(name))
            yield Unit(group="docs", label=name, variant=name, data=data, seed=seed, options=options)


def scan() -> Iterator[Unit]:
    """P1's recipe with a directional guard of each weight, from the first epoch and switched on after a warm-up."""
    for weight in WEIGHTS:
        for label, start in (("first", 1), ("fourth", 4)):
            if weight or start == 1:
                loss = f"mse+dir:{weight},margin=0.03,start={start}" if weight else "mse"
                options = ("--loss", loss, "--epochs", "8", "--on-collapse", "continue")
                yield Unit(group="scan", label=f"{label}-{weight}", variant="p1", data="wiki", options=options)


def apart() -> Iterator[Unit]:
    """Where nothing is stopped: P1 for its 20 epochs; P3, its guards alone, its `drop` alone, and P4 for 12."""
    for label, variant, options in (
        ("p1", "p1", ()),
        ("p3", "p3", ("--epochs", "12")),
        ("p3-guards-alone", "p3", ("--inputs", "", "--epochs", "12")),
        ("p3-drop-alone", "p3", ("--loss", "mse", "--epochs", "12")),
        ("p4", "p4", ("--epochs", "12")),
    ):
        for seed in (0, 1, 2):
            going_on = (*options, "--on-collapse", "continue")
            yield Unit(group="apart", label=label, variant=variant, data="wiki", seed=seed, options=going_on)


def narrowed(variant: str) -> tuple[str, ...]:
    from lvmcore.variants.catalogue import default_files, load_catalogue

    arch = load_catalogue(default_files()).variant(variant).arch
    if variant == "p5.1":  # its stages name the architecture themselves
        return ("--registry", os.path.relpath(HERE / "smaller.toml"))
    return ("--arch", SMALLER[arch]) if arch in SMALLER else ()


def carry_out(unit: Unit, keep: Path | None) -> None:
    """Train, evaluate by both protocols, and keep the run's folder, but for what is large."""
    scratch = Path(tempfile.mkdtemp(prefix="lvm-reproduction-"))
    try:
        made = lvm("run", *unit.words, "--runs", str(scratch), "--json")
        folder = Path(made["path"])
        lvm("eval", str(folder), "--protocol", "5cat-2025", "--precision", made["precision"], "--save", "--json")
        if keep:
            shutil.copytree(folder, keep / unit.group / unit.folder.name)
        slim(folder, unit)
        partly = RESULTS / f".{unit.group}-{unit.folder.name}.part"  # so that a folder that is there is whole
        shutil.rmtree(partly, ignore_errors=True)
        shutil.copytree(folder, partly)
        unit.folder.parent.mkdir(parents=True, exist_ok=True)
        partly.rename(unit.folder)
    finally:
        shutil.rmtree(scratch)


def slim(folder: Path, unit: Unit) -> None:
    """Leave what `lvm compare` reads: no weights, no figures of single windows, the yardsticks once a corpus."""
    for file in (*folder.glob("*.safetensors"), folder / ".lock"):  # weights, single windows, what resuming needs
        file.unlink(missing_ok=True)
    run = json.loads((folder / "run.json").read_text("utf-8"))
    write(folder / "run.json", run | {"command": ["lvm", "run", *unit.words]})
    if unit.folder.name != YARDSTICKS:
        for file in folder.glob("evaluation*.json"):
            document = json.loads(file.read_text("utf-8"))
            write(file, document | {"yardsticks": {}, "differences": {}})


def write(file: Path, document: dict[str, Any]) -> None:
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--novels", metavar="FILE", help="a second, larger corpus; run at a smaller width, one seed")
    parser.add_argument("--docs", metavar="FILE", help="the corpus that examples/corpora builds; also at that width")
    parser.add_argument("--only", choices=GROUPS, help="a part of them")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the run folders, weights and all")
    parser.add_argument("--list", action="store_true", help="say what is done and what is not")
    asked = parser.parse_args()
    if asked.only in ("novels", "docs") and not getattr(asked, asked.only):
        parser.error(f"--only {asked.only} needs --{asked.only} FILE")
    chosen = [unit for unit in units(asked.novels, asked.docs) if asked.only in (None, unit.group)]
    carry_out_all(chosen, lambda unit: carry_out(unit, asked.keep), only_list=asked.list)


if __name__ == "__main__":
    main()
