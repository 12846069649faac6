"""lvmcore's figures beside those of the plain loops over windows: what the tests compare, and a program for real text.

    python tests/lvmcore/evaluation/agreement.py [wiki kjv FILE …] [--articles N] [--json]

The program prints, for each corpus, predictor and protocol, the largest difference of any figure from that of the plain
loop in float64, and how many counts differ. Under `5cat-2025` rounding decides ties, so that ranks are held against
bounds: similarities nearer than 1e-6 may fall either way. It ends with 1 where a figure is further off than 1e-6, a
count differs, or a rank lies outside. The loops take minutes a corpus.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import plain_5cat as plain
import plain_5cat_2025 as plain_2025
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.data.windows import SPLITS
from lvmcore.evaluation.checks import checks_of
from lvmcore.evaluation.content import ContentKeys
from lvmcore.evaluation.document import measured
from lvmcore.evaluation.figures import Columns
from lvmcore.evaluation.fivecat.ablations import permutations
from lvmcore.evaluation.measurement import Predictor, columns_of, evaluation_windows, statistics_of
from lvmcore.evaluation.predictors import yardstick
from lvmcore.evaluation.protocols import NamedProtocol, protocol_of
from lvmcore.model import build_model
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

CONTEXT = 5
TOLERANCE = 1e-6
HELD_OUT = ("val", "ood")
YARDSTICKS = ("oracle", "copy-last", "context-mean", "ridge")

REGISTRY = Registry(Plugins(only=()))
FIVECAT, FIVECAT_2025 = (protocol_of(name, REGISTRY) for name in ("5cat", "5cat-2025"))

TorchPredict = Callable[[Tensor, Tensor], Tensor]


# --- a corpus as the plain loops read it


def articles_of(corpus: Corpus) -> list[np.ndarray]:
    """The stored rows of each article in float64, not yet of unit norm."""
    return np.split(corpus.vectors.double().numpy(), corpus.starts[1:-1].tolist())


def numbers_of(corpus: Corpus, split: str) -> list[int]:
    return [i for i, own in enumerate(corpus.splits.tolist()) if SPLITS[own] == split]


def of_articles(corpus: Corpus, numbers: Sequence[int]) -> Corpus:
    """The corpus of these articles alone, in this order."""
    lengths = corpus.starts.diff()[numbers]
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    rows = [corpus.vectors[corpus.starts[i] : corpus.starts[i + 1]] for i in numbers]
    return Corpus(torch.cat(rows), starts, corpus.splits[numbers], corpus.info)


def one_at_a_time(predict: TorchPredict) -> plain.Predict:
    """A batched predictor as the plain loops call it, in the precision of the rows."""

    @torch.inference_mode()
    def single(context: plain.Array, target: plain.Array) -> plain.Array:
        rows = (torch.from_numpy(np.ascontiguousarray(part))[None] for part in (context, target))
        return predict(*rows)[0].numpy()

    return single


def choices_of(corpus: Corpus, seed: int = 0) -> tuple[plain.Permute, plain.Foreign]:
    """The permutations and foreign rows that lvmcore draws, by the window's article and t."""
    orders: dict[tuple[int, int], list[int]] = {}
    rows: dict[tuple[int, int], np.ndarray | None] = {}
    stored = corpus.vectors.double().numpy()
    for split in HELD_OUT:
        windows = corpus.windows(split, CONTEXT)
        if not len(windows):
            continue
        batch = windows.take(torch.arange(len(windows)))
        keys = ContentKeys(corpus, split, seed)
        drawn = keys.of(batch)
        permuted = permutations(drawn, CONTEXT).tolist()
        foreign, there = keys.foreign(batch, drawn)
        places = zip(batch.articles.tolist(), batch.targets.tolist(), strict=True)
        for i, (article, target) in enumerate(places):
            window = article, target - int(corpus.starts[article])
            orders[window] = permuted[i]
            rows[window] = stored[foreign[i]] if there[i] else None
    return (lambda article, t: orders[article, t]), (lambda article, t: rows[article, t])


# --- both sides of a comparison


def batched(
    predictor: Predictor,
    corpus: Corpus,
    protocol: NamedProtocol = FIVECAT,
    filter: TorchPredict | None = None,
    **options: Any,
) -> tuple[dict[str, Any], dict[str, Columns]]:
    """lvmcore's figures as plain numbers, and its columns."""
    limit, seed = options.pop("limit", None), options.pop("seed", 0)
    windows = evaluation_windows(corpus, HELD_OUT, CONTEXT, limit, protocol.protocol)
    first = None if protocol.protocol.spread else limit
    checks = checks_of(protocol.protocol, REGISTRY, CONTEXT)
    columns = {
        split: columns_of(
            predictor, found, checks, keys=ContentKeys(corpus, split, seed), filter=filter, first=first, **options
        )
        for split, found in windows.items()
    }
    statistics = {split: statistics_of(found, windows[split]) for split, found in columns.items()}
    return values_of(measured(statistics, checks)), columns


def looped(predictor: str, predict: plain.Predict, corpus: Corpus, seed: int = 0) -> dict[str, Any]:
    """The plain loop's figures under `5cat`, with the choices that lvmcore draws."""
    articles = articles_of(corpus)
    permute, foreign = choices_of(corpus, seed)
    expected = plain.evaluate(
        predict,
        articles,
        {split: numbers_of(corpus, split) for split in HELD_OUT},
        baseline=plain.six_scalars([articles[i] for i in numbers_of(corpus, "train")]),
        permute=permute,
        foreign=foreign,
    )
    return as_reported(corpus, predictor, expected)


def looped_2025(
    predictor: str, predict: plain.Predict, corpus: Corpus, limit: int | None = None
) -> tuple[dict[str, Any], dict[str, list[tuple[int, int]]]]:
    """The plain loop's figures under `5cat-2025` without those of ranks; and the bounds of every window's rank."""
    articles = [plain.unit_rows(rows) for rows in articles_of(corpus)]
    numbers = {split: numbers_of(corpus, split) for split in HELD_OUT}
    expected = plain_2025.evaluate(predict, articles, numbers, limit=limit)
    expected = as_reported(corpus, predictor, expected)
    bounds = {}
    for split, held in expected["splits"].items():
        held["B"] = {"all": {name: held["B"]["all"][name] for name in ("windows", "duplicates")}}
        windows = plain.windows_of([(i, articles[i]) for i in numbers[split]])[:limit]
        bounds[split] = [rank_bounds(predict, window) for window in windows]
    return expected, bounds


def rank_bounds(predict: plain.Predict, window: plain.Window) -> tuple[int, int]:
    """The least and the greatest rank under `5cat-2025`, where similarities nearer than 1e-6 may fall either way."""
    p = plain.predicted(predict, window.context, window.target)
    own = plain.cosine(p, window.target)
    similarities = plain.similarities_to(window.rows, p)
    return 1 + int((similarities > own + 1e-6).sum()), 1 + int((similarities > own - 1e-6).sum())


def ranks_outside(columns: dict[str, Columns], bounds: dict[str, list[tuple[int, int]]]) -> int:
    """How many windows have a rank that rounding can't explain."""
    ranks = {split: columns[split]["B/all/rank"] for split in bounds}  # beyond the limit there is none
    pairs = [
        pair for split in bounds for pair in zip(ranks[split][~np.isnan(ranks[split])], bounds[split], strict=True)
    ]
    return sum(not low <= rank <= high for rank, (low, high) in pairs)


def as_reported(corpus: Corpus, name: str, expected: dict[str, Any]) -> dict[str, Any]:
    """The reference's document as lvmcore reports it, where the page leaves a choice.

    A split without windows is left out; the oracle has neither ablations nor a direction.
    """
    expected = {key: expected[key] for key in ("splits", "E_delta")}
    for split in [split for split, found in expected["splits"].items() if not found["windows"]]:
        del expected["splits"][split]
    for found in expected["splits"].values():
        if name == "oracle":
            found["C"] = {**dict.fromkeys(found["C"]), "windows": 0}
            if "direction" in found["A"]:
                found["A"]["direction"] = None
    return expected


def values_of(document: Any) -> Any:
    """A document with the value of each figure in its place."""
    if isinstance(document, dict):
        if set(document) == {"value", "low", "high"}:
            return document["value"]
        return {key: values_of(held) for key, held in document.items()}
    return [values_of(held) for held in document] if isinstance(document, list) else document


class Gap(NamedTuple):
    """What two documents have in one place."""

    where: str
    found: Any
    expected: Any

    @property
    def size(self) -> float:
        """How far two figures are apart; infinite where they are other than equal and not both figures."""
        if isinstance(self.found, float) and isinstance(self.expected, float):
            return abs(self.found - self.expected)
        same = self.found == self.expected and type(self.found) is type(self.expected)
        return 0.0 if same else float("inf")


def gaps(found: Any, expected: Any, where: str = "") -> Iterator[Gap]:
    """Every figure and count of the expected document beside the one found."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, held in expected.items():
            yield from gaps(found.get(key, "missing"), held, f"{where}/{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        for i, (own, other) in enumerate(zip(found, expected, strict=True)):
            yield from gaps(own, other, f"{where}/{i}")
    else:
        yield Gap(where, found, expected)


def differences(found: Any, expected: Any, tolerance: float) -> list[Gap]:
    """Where two documents differ: figures by more than the tolerance, counts and nulls at all."""
    return [gap for gap in gaps(found, expected) if gap.size > tolerance]


# --- the program


class Agreement(NamedTuple):
    """How far lvmcore is from the plain loop under one protocol."""

    corpus: str
    windows: int
    predictor: str
    protocol: str
    largest: float
    """difference of any figure"""
    figures: int
    counts: int
    differ: int
    """of the counts"""
    outside: int
    """ranks beyond their bounds, under `5cat-2025`"""

    @property
    def ok(self) -> bool:
        return self.largest <= TOLERANCE and not self.differ and not self.outside

    @property
    def row(self) -> str:
        """A line of the Markdown table."""
        outside = str(self.outside) if self.protocol == FIVECAT_2025.name else ""
        return (
            f"| {self.corpus} | {self.windows:,} | {self.predictor} | `{self.protocol}` "
            f"| {self.largest:.0e} of {self.figures} | {self.differ} of {self.counts} | {outside} |"
        )


HEAD = (
    "| corpus | windows | predictor | protocol | largest difference of the figures | counts that differ "
    "| ranks outside |\n|---|---|---|---|---|---|---|"
)


def predictors(corpus: Corpus, registry: Registry) -> Iterator[tuple[Predictor, plain.Predict]]:
    """Each as lvmcore calls it, and as the loop does: one window at a time, in float64."""
    for name in YARDSTICKS:
        found = yardstick(name, corpus, registry)
        yield found, one_at_a_time(found.predict)
    torch.manual_seed(0)
    model = build_model("transformer", "", corpus.dim, CONTEXT, registry, size="toy").eval()
    double = copy.deepcopy(model).double()
    own = Predictor("toy transformer", lambda context, _: model(context))
    yield own, one_at_a_time(lambda context, _: double(context))


def compared(data: str, articles: int | None, registry: Registry) -> Iterator[Agreement]:
    """Every predictor under both protocols on a corpus."""
    whole = open_corpus(data, registry)
    kept = numbers_of(whole, "train") + [i for split in HELD_OUT for i in numbers_of(whole, split)[:articles]]
    corpus = of_articles(whole, sorted(kept))
    filtered = yardstick("filter", corpus, registry).predict
    for predictor, single in predictors(corpus, registry):
        found, columns = batched(predictor, corpus, filter=filtered)
        yield agreement(corpus, predictor, FIVECAT, columns, gaps(found, looped(predictor.name, single, corpus)))
        found, columns = batched(predictor, corpus, FIVECAT_2025)
        expected, bounds = looped_2025(predictor.name, single, corpus)
        outside = ranks_outside(columns, bounds)
        yield agreement(corpus, predictor, FIVECAT_2025, columns, gaps(found, expected), outside)


def agreement(
    corpus: Corpus,
    predictor: Predictor,
    protocol: NamedProtocol,
    columns: dict[str, Columns],
    compared: Iterable[Gap],
    outside: int = 0,
) -> Agreement:
    """What the gaps between both sides amount to."""
    held = list(compared)
    figures = [gap.size for gap in held if isinstance(gap.expected, float)]
    counts = [gap.size for gap in held if not isinstance(gap.expected, float)]
    return Agreement(
        corpus.info.name,
        sum(len(found["cosine"]) for found in columns.values()),
        predictor.name,
        protocol.name,
        max(figures),
        len(figures),
        len(counts),
        sum(size > 0 for size in counts),
        outside,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=["wiki", "kjv"], help="corpora, by name or file")
    parser.add_argument("--articles", type=int, help="at most so many articles of VAL and of OOD")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not asked.json:
        print(HEAD)
    results = []
    for found in (found for data in asked.data for found in compared(data, asked.articles, REGISTRY)):
        results.append(found)
        if not asked.json:
            print(found.row, flush=True)
    if asked.json:
        print(json.dumps([found._asdict() for found in results], indent=1))
    sys.exit(0 if all(found.ok for found in results) else 1)


if __name__ == "__main__":
    main()
