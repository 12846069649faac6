"""What results/ holds, as the tables of docs/reproduction.md and the picture of the weight scan.

python examples/reproduction/tables.py                # the tables
python examples/reproduction/tables.py --plot FILE    # the picture; needs the extra `report`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import attrs

from lvmcore.runs.folder import all_runs
from lvmcore.runs.run import Run
from lvmcore.variants.catalogue import default_files, load_catalogue
from lvmcore.variants.published import DIAGNOSTIC, Reported

RESULTS = Path(__file__).parent / "results"
GROUPS = ("wiki", "scan", "apart", "novels", "docs")
COURSE = (1, 2, 3, 4, 6, 8, 10, 12, 20)
"""Epochs whose figures are shown of a run's course."""
HEADS = ["system", "seeds", "status", "best epoch", "val cos", "margin", "direction", "R@5", "D", "causal"]
OLD = [
    "system",
    "margin, reported",
    "margin `5cat-2025`",
    "margin `5cat`",
    "R@5, reported",
    "R@5 `5cat-2025`",
    "D, reported",
]
OLD += ["D `5cat-2025`"]


@attrs.frozen
class Result:
    """A run with its epochs and its figures by both protocols."""

    run: Run
    epochs: list[dict[str, Any]]
    evaluations: dict[str, dict[str, Any]]


@cache
def results(group: str) -> dict[str, list[Result]]:
    """The runs of a group by label, the seeds of each in order."""
    found: dict[str, list[Result]] = {}
    for run in all_runs(RESULTS / group):
        evaluations = {protocol: run.document_by(protocol) or {} for protocol in ("5cat", "5cat-2025")}
        label = run.path.name.rpartition("-s")[0]
        found.setdefault(label, []).append(Result(run, run.epochs, evaluations))
    return found


def provenance() -> str:
    """How many runs, when, with what."""
    runs = [one.run.record for group in GROUPS for found in results(group).values() for one in found]
    dates = sorted(run["started"][:10] for run in runs)
    hours = sum(run["seconds"] for run in runs) / 3600
    made = {f"torch {run['versions']['torch']}, Python {run['versions']['python']}" for run in runs}
    where = {f"{run['machine']['processor']}, {run['machine']['threads']} thread, {run['precision']}" for run in runs}
    span = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return f"{len(runs)} runs, {span}, {hours:.1f} hours beside other work; {'; '.join(sorted(where | made))}."


def overview(group: str) -> str:
    """A row a system: figures of VAL under `5cat`, each a mean over the seeds with the mean ends of its interval.

    They are of the best weights, which may be older than what a system is about.
    """
    rows = []
    for label, runs in results(group).items():
        figures = [
            _figure(runs, "5cat", *path)
            for path in (("cosine",), ("A", "margin"), ("A", "direction"), ("B", "all", "r5"), ("D", "score"))
        ]
        causal = ", ".join(f"{run.evaluations['5cat']['causal']['passed']}/5" for run in runs)
        best = ", ".join(str(run.run.record["best"]["epoch"]) for run in runs)
        rows.append([f"`{label}`", str(len(runs)), _status(runs), best, *figures, causal])
    return _table(HEADS, rows)


def _published(group: str) -> Iterator[tuple[str, list[Result], Reported]]:
    """The systems that figures were published for, with their runs."""
    variants = load_catalogue(default_files()).variants
    for label, runs in results(group).items():
        if label in variants and (reported := variants[label].reported):
            yield label, runs, reported


def beside_reported(group: str) -> str:
    """A row a system that figures were published for: theirs, and ours by their protocol."""
    rows = []
    for label, runs, reported in _published(group):
        ours = [_value(runs, "5cat-2025", *path) for path in (("A", "margin"), ("B", "all", "r5"), ("D", "score"))]
        new = _value(runs, "5cat", "A", "margin")
        theirs = [_reported(reported, name) for name in ("margin", "r5", "d")]
        margins = (("–" if value is None else f"{value:+.3f}") for value in (theirs[0], ours[0], new))
        rates = (("–" if value is None else f"{value:.3f}") for value in (theirs[1], ours[1], theirs[2], ours[2]))
        rows.append([f"`{label}`", *margins, *rates])
    return _table(OLD, rows)


def diagnostics(group: str) -> str:
    """A row a system whose margin was published as cos(p, target) − cos(p, last row): theirs, and ours on VAL."""
    rows = []
    for label, runs, reported in _published(group):
        if reported.protocol == DIAGNOSTIC and reported.margin:
            cosine, margin = (_value(runs, "5cat", *path) for path in (("cosine",), ("A", "margin_last")))
            theirs = f"{reported.val_cos:.3f}", f"{reported.margin.val:+.3f}"
            rows.append([f"`{label}`", theirs[0], f"{cosine:.3f}", theirs[1], f"{margin:+.3f}"])
    heads = ["system", "val cos, reported", "val cos", "margin over the last row, reported", "margin over the last row"]
    return _table(heads, rows)


def scan() -> str:
    """A row a weight of the directional guard: the last epoch, and the worst."""
    rows = []
    for label, (run,) in sorted(results("scan").items(), key=lambda item: (item[0].split("-")[0], weight_of(item[0]))):
        epochs = run.epochs
        last, worst = epochs[-1], min(epochs[3:], key=lambda epoch: epoch["val_cos"])
        pull = next((e["terms"]["dir"]["gradient"] for e in reversed(epochs) if "dir" in e["terms"]), None)
        mse = epochs[-1]["terms"]["mse"]["gradient"]
        rows.append(
            [
                f"{weight_of(label):g}",
                label.split("-")[0],
                f"{last['val_cos']:.3f}",
                f"{last['margin']:+.3f}",
                f"{worst['val_cos']:.3f} ({worst['epoch']})",
                "–" if not pull else f"{pull / mse:.1f}",
            ]
        )
    heads = [
        "weight",
        "guard from epoch",
        "val cos, last",
        "margin, last",
        "lowest val cos from epoch 4",
        "pull against mse",
    ]
    return _table(heads, rows)


def beginnings(group: str) -> str:
    """A row a system and epoch in which something begins: the figures before it and in it, and those of P1."""
    rows = []
    for label, runs in results(group).items():
        for number, terms in sorted({begun for run in runs for begun in _begun(run.epochs)}):
            both = [run for run in runs if len(run.epochs) >= number]
            plain = [run for run in results(group)["p1"] if len(run.epochs) >= number]
            rows.append(
                [f"`{label}`", f"{number}: {terms}", str(len(both)), *_steps(both, number), *_steps(plain, number)]
            )
    heads = ["system", "epoch and what begins", "seeds", "val cos", "margin", "val cos of `p1`", "margin of `p1`"]
    return _table(heads, rows)


def _begun(epochs: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Epochs after the first in which terms or inputs begin to act, and which."""
    for before, now in pairwise(epochs):
        terms = [f"`{label}`" for label in now["terms"] if label not in before["terms"]]
        terms += [f"`{label}`" for label, value in now["inputs"].items() if value and not before["inputs"].get(label)]
        if terms:
            yield now["epoch"], ", ".join(terms)


def _steps(runs: list[Result], number: int) -> list[str]:
    """Val cosine and margin in the epoch before and in this one, means over runs."""
    told = []
    for name, form in (("val_cos", ".3f"), ("margin", "+.3f")):
        ends = [mean(run.epochs[number - back - 1][name] for run in runs) for back in (1, 0)] if runs else []
        told.append(" → ".join(format(value, form) for value in ends) or "–")
    return told


def courses(group: str, *labels: str) -> str:
    """A row a system: val cosine and margin after so many epochs, means over the seeds that came so far.

    How many those are stands behind, where they are not all.
    """
    rows = []
    for label, runs in results(group).items():
        if labels and label not in labels:
            continue
        cells = []
        for number in COURSE:
            held = [run.epochs[number - 1] for run in runs if len(run.epochs) >= number]
            figures = [mean(epoch[name] for epoch in held) for name in ("val_cos", "margin")] if held else []
            fewer = f" ({len(held)})" if len(held) < len(runs) else ""
            cells.append("{:.3f}, {:+.3f}".format(*figures) + fewer if held else "–")
        rows.append([f"`{label}`", str(len(runs)), *cells])
    return _table(["system", "seeds", *map(str, COURSE)], rows)


def weight_of(label: str) -> float:
    return float(label.partition("-")[2])


def _values(runs: Iterable[Result], protocol: str, *path: str) -> list[dict[str, Any]]:
    found = []
    for run in runs:
        node = run.evaluations[protocol]["splits"]["val"]
        for key in path:
            node = node[key]
        found.append(node)
    return found


def _mean(figures: list[dict[str, Any]], key: str) -> float | None:
    values = [figure[key] for figure in figures if figure[key] is not None]
    return sum(values) / len(values) if values else None


def _value(runs: list[Result], protocol: str, *path: str) -> float | None:
    return _mean(_values(runs, protocol, *path), "value")


def _figure(runs: list[Result], protocol: str, *path: str) -> str:
    figures = _values(runs, protocol, *path)
    value, low, high = (_mean(figures, key) for key in ("value", "low", "high"))
    signed = "+" if path[-1] in ("margin", "direction") else ""
    if value is None:
        return "–"
    return f"{value:{signed}.3f}" if low is None else f"{value:{signed}.3f} [{low:{signed}.3f}, {high:{signed}.3f}]"


def _status(runs: list[Result]) -> str:
    said = []
    for run in runs:
        status = run.run.status
        said.append(status if status == "finished" else f"{status} ({run.epochs[-1]['epoch']})")
    return ", ".join(said if len(set(said)) > 1 else said[:1])


def _reported(reported: Reported, name: str) -> float | None:
    if reported.protocol != "5cat-2025":  # a training diagnostic is another figure
        return None
    figure = getattr(reported, name)
    return figure.val if figure else None


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [heads, ["---"] * len(heads), *rows])


def main() -> None:
    for group in ("wiki", "novels"):
        if results(group):
            print(f"\n{group}\n\n{overview(group)}\n\n{beside_reported(group)}")
            print(f"\n{beginnings(group)}")
    if results("scan"):
        print(f"\nscan\n\n{scan()}")
    if results("apart"):
        print(f"\napart\n\n{courses('apart')}")


if __name__ == "__main__":
    main()
