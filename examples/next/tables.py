"""What results/ holds, as the tables of docs/next.md: `from next.tables import ablation`.

python examples/next/tables.py    # all of them
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

from lvmcore import tables
from lvmcore.variants.catalogue import Catalogue, default_files, load_catalogue

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CORPORA = ("factbook", "wiki", "kjv", "novels", "sotu", "wiki-mpnet")
P1 = ("p1", "p1-5")
SPLITS = ("val", "ood")
CHEATS = ("context-mean", "copy-last", "filter", "ridge")
"""But for `random`."""
Interval = tuple[float, float, float]
"""Value, and the ends of its interval."""


def _cosine(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _fine(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")


DIAL = ("next-text", "rank-0.03", "rank-0.1", "rank-0.3", "rank-1", "rank-3", "rank-alone")
"""More and more of `rank`, from cosine to retrieval."""
FORMS = {"cosine": _cosine, "r5": _points, "rollout": _cosine}
"""How each figure is told: R@5 in points."""


@cache
def results(corpus: str, folder: Path = RESULTS) -> dict[str, list[dict[str, Any]]]:
    """The results of a corpus: idea → its seeds in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    read = [json.loads(file.read_text("utf-8")) for file in (folder / corpus).glob("*-s[0-9]*.json")]
    for one in sorted(read, key=lambda one: one["seed"]):
        found.setdefault(one["idea"], []).append(one)
    return found


@cache
def catalogue() -> Catalogue:
    """The variants of lvm and those of ideas.toml."""
    return load_catalogue([*default_files(), HERE / "ideas.toml"])


def candidates(corpus: str) -> dict[str, list[dict[str, Any]]]:
    """The results that are no yardstick's."""
    return {idea: runs for idea, runs in results(corpus).items() if idea not in P1}


def difference(runs: Iterable[dict[str, Any]], split: str, other: str, figure: str) -> Interval | None:
    """A difference to a cheat, to P1 or to `next`: means over those seeds that have it, of value and ends."""
    held = [run["differences"][split][other][figure] for run in runs if other in run["differences"][split]]
    if not held:
        return None
    return mean(one["value"] for one in held), mean(one["low"] for one in held), mean(one["high"] for one in held)


def tried(where: str = "tables") -> str:
    """How many candidates, in how many runs, and where they stand."""
    runs = [run for corpus in CORPORA for found in candidates(corpus).values() for run in found]
    ideas = {run["idea"] for run in runs}
    each = ", ".join(f"{len(candidates(corpus))} on {corpus}" for corpus in CORPORA if candidates(corpus))
    return f"{len(ideas)} candidates were tried in {len(runs)} runs: {each}. All of them stand in the {where}."


def provenance() -> str:
    """When, with what, and for how long."""
    runs = [run for corpus in CORPORA for found in results(corpus).values() for run in found]
    dates = sorted({run["date"] for run in runs})
    made = {f"torch {run['versions']['torch']}, Python {run['versions']['python']}" for run in runs}
    where = {f"{run['machine']['processor']}, {run['machine']['threads']} thread" for run in runs}
    hours = sum(run["seconds"] for run in runs) / 3600
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{len(runs)} runs, {span}, {hours:.1f} hours beside other work; {'; '.join(sorted(where | made))}."


def ablation(corpus: str = "factbook") -> str:
    """A row a change of `next`: what it costs of cosine, R@5 and rollout, window by window on the same seeds."""
    variants = catalogue().variants
    rows = []
    for idea, runs in candidates(corpus).items():
        if idea != "next" and any("next" in run["differences"]["val"] for run in runs) and is_change(idea):
            cells = [
                _signed(difference(runs, split, "next", figure), form)
                for figure, form in FORMS.items()
                for split in SPLITS
            ]
            order = difference(runs, "val", "next", "cosine") or (0.0, 0.0, 0.0)
            rows.append((order[0], [f"`{idea}`", variants[idea].approach, str(len(runs)), *cells, _passed(runs)]))
    whole = results(corpus).get("next", [])
    figures = [
        " / ".join(form(mean(run["splits"][split][figure]["value"] for run in whole)).lstrip("+") for split in SPLITS)
        for figure, form in FORMS.items()
    ]
    said = "VAL / OOD of `next`: cosine {}, R@5 unseen {} points, rollout {}".format(*figures)
    heads = ["change", "what", "seeds"]
    heads += [f"{name}, {split.upper()}" for name in ("cosine", "R@5, points", "rollout") for split in SPLITS]
    table = _table([*heads, "`causal`"], [row for _, row in sorted(rows, key=lambda row: row[0])])
    return f"{said}; `causal` {_passed(whole)}.\n\n{table}"


def is_change(idea: str) -> bool:
    """Whether it is `next` with one thing changed, which the ablation tells of."""
    return idea.startswith(("with-", "without-"))


def frontier(corpus: str, only: Iterable[str] = ()) -> str:
    """A row a candidate, and one of P1: dF, by which they stand in order, dCL, and what it has over P1.

    Args:
        only: the ideas that are told of besides P1; all, where none is named.
    """
    shown = {*only, *P1} if only else {*results(corpus)}
    columns: list[tuple[str, str, tuple[str, ...]]] = [
        ("filter", "cosine", SPLITS),
        ("copy-last", "r5", SPLITS),
        ("p1", "cosine", ("val",)),
        ("p1", "r5", ("val",)),
    ]
    rows = []
    for idea, runs in _by_cosine(corpus):
        if idea not in shown:
            continue
        cells = [
            _signed(difference(runs, split, other, figure), FORMS[figure])
            for other, figure, splits in columns
            for split in splits
        ]
        rows.append([f"`{idea}`", str(len(runs)), *cells, _passed(runs)])
    heads = ["candidate", "seeds", "dF, VAL", "dF, OOD", "dCL, VAL", "dCL, OOD", "cosine − P1, VAL", "R@5 − P1, VAL"]
    return _table([*heads, "`causal`"], rows)


def weakest(corpus: str) -> str:
    """A row a candidate, and one of P1: cosine and R@5, and the cheat that each is least above, or furthest below."""
    rows = []
    for idea, runs in _by_cosine(corpus):
        cells = []
        for figure in ("cosine", "r5"):
            for split in SPLITS:
                own = FORMS[figure](mean(run["splits"][split][figure]["value"] for run in runs)).lstrip("+")
                found = {cheat: difference(runs, split, cheat, figure) or (0.0, 0.0, 0.0) for cheat in CHEATS}
                cheat = min(found, key=lambda name: found[name][0])
                cells.append(f"{own}, {cheat} {_signed(found[cheat], FORMS[figure])}")
        rows.append([f"`{idea}`", str(len(runs)), *cells, _passed(runs)])
    heads = ["candidate", "seeds", "cosine, VAL", "cosine, OOD", "R@5 unseen, VAL", "R@5 unseen, OOD", "`causal`"]
    return _table(heads, rows)


def parts(corpus: str) -> list[dict[str, Any]]:
    """What scaling.py measured on a corpus, the smallest part first."""
    file = RESULTS / "scaling" / f"{corpus}.json"
    return sorted(json.loads(file.read_text("utf-8")), key=lambda point: (point["windows"], point["loss"]))


def scaling(corpus: str) -> str:
    """A row a part of the training articles and a loss."""
    rows = []
    for point in parts(corpus):
        cells = [
            _signed(_interval(found), form)
            for key, form in (("dF", _fine), ("dCL", _points))
            for found in (point[split][key] for split in SPLITS)
        ]
        rows.append([f"{point['windows']:,}", f"`{point['loss']}`", str(point["epochs"]), *cells])
    heads = ["training windows", "loss", "epochs", "dF, VAL", "dF, OOD", "dCL, VAL", "dCL, OOD"]
    return _table(heads, rows)


def seeds(corpus: str, idea: str) -> str:
    """A row a seed of a candidate: its figures on VAL and OOD, and the letters that it passes."""
    rows = []
    for run in results(corpus)[idea]:
        figures = [
            FORMS[figure](run["splits"][split][figure]["value"]).lstrip("+") for figure in FORMS for split in SPLITS
        ]
        rows.append([str(run["seed"]), *figures, _passed([run])])
    heads = [f"{name}, {split.upper()}" for name in ("cosine", "R@5 unseen", "rollout") for split in SPLITS]
    return _table(["seed", *heads, "`causal`"], rows)


def by_source(corpus: str) -> str:
    """A row a source of a corpus: dF and dCL of what by_source.py took apart, a loss beside the other."""
    runs = json.loads((RESULTS / "by-source" / f"{corpus}.json").read_text("utf-8"))
    rows = []
    for held in zip(*(run["sources"] for run in runs), strict=True):
        first = held[0]
        cells = [
            _signed(_interval(one[key]), form) for one in held for key, form in (("dF", _cosine), ("dCL", _points))
        ]
        rows.append([f"`{first['source']}`", first["split"].upper(), f"{first['windows']:,}", *cells])
    heads = ["source", "split", "windows", *(f"{key}, `{run['loss']}`" for run in runs for key in ("dF", "dCL"))]
    return _table(heads, rows)


def _by_cosine(corpus: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """All results of a corpus, the greatest dF on VAL first."""
    found = results(corpus).items()
    return sorted(found, key=lambda item: -(difference(item[1], "val", "filter", "cosine") or (0.0,))[0])


def _passed(runs: list[dict[str, Any]]) -> str:
    """`5/5` once, where all seeds have it; letters that passed, where not all did."""
    said = []
    for run in runs:
        letters = "".join(letter for letter in "ABCDE" if run["causal"][letter])
        said.append(f"{run['causal']['passed']}/{run['causal']['of']}" + (f" ({letters})" if len(letters) < 5 else ""))
    return ", ".join(said if len(set(said)) > 1 else said[:1])


def _interval(found: dict[str, float]) -> Interval:
    return found["value"], found["low"], found["high"]


def _signed(found: Interval | None, form: Callable[[float], str]) -> str:
    return "{} [{}, {}]".format(*map(form, found)) if found else ""


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(map(tables.markdown_row, [heads, ["---"] * len(heads), *rows]))


def main() -> None:
    print(f"{tried()}\n{provenance()}")
    if len(candidates("factbook")) > 1:
        print(f"\nablation on factbook\n\n{ablation()}")
    for corpus in CORPORA:
        if candidates(corpus):
            print(f"\nfrontier on {corpus}\n\n{frontier(corpus)}\n\n{weakest(corpus)}")


if __name__ == "__main__":
    main()
