"""How often do the intervals of an evaluation's own figures cover the truth? Corpora drawn from real articles.

    python benchmarks/interval_coverage_on_text.py [--data wiki] [--model ridge] [--corpora 500] [--json]

The VAL and OOD articles of a corpus are taken for all the articles that there are, so that the truth of every figure
is its mean over them. Each simulated corpus draws articles from them with replacement, and goes the way of an
evaluation: the margin's rival is the drawn corpus's own, and the paired differences are from `filter`.
"""

from __future__ import annotations

import argparse
import json

import attrs
import numpy as np

from lvmcore import Estimate, Lab
from lvmcore.evaluation.checks import Check, checks_of
from lvmcore.evaluation.figures import Columns
from lvmcore.evaluation.measurement import columns_of, evaluation_windows
from lvmcore.evaluation.predictors import BASELINE, of_role, term_of, yardstick
from lvmcore.evaluation.protocols import DEFAULT, protocol_of
from lvmcore.evaluation.statistics import RESAMPLES, Statistics

ARTICLES = (8, 20, 50, 100)
CONTEXT = 5
SHOWN = {
    "cosine": "cosine",
    "A/margin": "margin",
    "A/margin_last": "margin over the last row",
    "A/gain": "gain",
    "A/direction": "direction",
    "B/all/r1": "R@1",
    "B/all/r5": "R@5",
    "B/unseen/r5": "R@5, unseen rows",
    "B/unseen/mrr": "MRR, unseen rows",
    "C/shuffle": "shuffle",
    "C/reverse": "reverse",
    "C/leave_one_out": "leave one out",
    "C/foreign": "foreign",
    "D/score": "rollout",
    "E/low/cosine": "cosine, low bin",
    "E/normal/cosine": "cosine, normal bin",
    "E/normal/gain": "gain, normal bin",
}
PAIRED = {"B/unseen/r5": "R@5, unseen rows, less filter's", "D/score": "rollout, less filter's"}
BETWEEN = "normal bin, one corpus less another"


@attrs.frozen(eq=False)
class Population:
    """Per-window figures of all articles there are, and the windows of each article."""

    columns: Columns
    windows: list[np.ndarray]
    checks: list[Check]

    def draw(self, random: np.random.Generator, articles: int, seed: int) -> Statistics:
        """A corpus of so many articles."""
        drawn = [self.windows[i] for i in random.integers(0, len(self.windows), articles)]
        rows = np.concatenate(drawn)
        group = np.repeat(np.arange(articles), [len(found) for found in drawn])
        columns = {name: column[rows] for name, column in self.columns.items()}
        derive(columns, self.checks)
        return Statistics(columns, group, RESAMPLES, seed)

    def truth(self, name: str) -> float:
        return float(np.nanmean(self.columns[name], dtype=np.float64))


def population(data: str, model: str) -> Population:
    """A predictor's figures on every article of VAL and OOD."""
    lab = Lab(progress=False)
    registry, corpus = lab.registry, lab.corpus(data)
    checks = checks_of(protocol_of(DEFAULT, registry).protocol, registry, CONTEXT)
    known = (model, term_of(of_role(registry, BASELINE)))
    own, baseline = (yardstick(each, corpus, registry, CONTEXT) for each in known)
    found: list[Columns] = []
    articles: list[np.ndarray] = []
    for windows in evaluation_windows(corpus, ("val", "ood"), CONTEXT).values():
        columns, theirs = (columns_of(each, windows, checks, filter=baseline.predict) for each in (own, baseline))
        columns |= {f"paired {name}": columns[name] - theirs[name] for name in PAIRED}
        found.append(columns)
        articles.append(windows.articles.numpy())
    of_article = np.concatenate(articles)
    columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    derive(columns, checks)
    return Population(columns, [np.flatnonzero(of_article == article) for article in np.unique(of_article)], checks)


def derive(columns: Columns, checks: list[Check]) -> None:
    """Make the columns anew that are made of all windows, such as the margin's."""
    for check in checks:
        check.derive(columns)


def holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.low <= truth <= estimate.high


def coverage(found: Population, articles: int, corpora: int) -> dict[str, float]:
    """By figure, the share of corpora whose interval holds the truth, of those that have the figure."""
    random = np.random.default_rng(17)
    hits = {name: list[bool]() for name in (*SHOWN.values(), *PAIRED.values(), BETWEEN)}
    for corpus in range(corpora):
        statistics = found.draw(random, articles, seed=2 * corpus)
        other = found.draw(random, articles, seed=2 * corpus + 1)
        estimates = {label: (statistics.figure(name), found.truth(name)) for name, label in SHOWN.items()}
        for name, label in PAIRED.items():
            estimates[label] = statistics.difference(f"paired {name}"), found.truth(f"paired {name}")
        normal, others = (drawn.bootstrap("E/normal/cosine") for drawn in (statistics, other))
        estimates[BETWEEN] = normal.minus(others).estimate(), 0.0
        for label, (estimate, truth) in estimates.items():
            if estimate.value is not None:
                hits[label].append(holds(estimate, truth))
    return {label: float(np.mean(held)) for label, held in hits.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="wiki")
    parser.add_argument("--model", default="ridge", help="a predictor that needs no training")
    parser.add_argument("--corpora", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = population(asked.data, asked.model)
    table = {articles: coverage(found, articles, asked.corpora) for articles in ARTICLES}
    if asked.json:
        print(json.dumps(table, indent=1))
        return
    print("| figure | " + " | ".join(f"{articles} articles" for articles in ARTICLES) + " |")
    print("|---" * (1 + len(ARTICLES)) + "|")
    for label in table[ARTICLES[0]]:
        print(f"| {label} | " + " | ".join(f"{row[label]:.3f}" for row in table.values()) + " |")


if __name__ == "__main__":
    main()
