"""How often do 95 % intervals cover the truth? Simulated corpora, by the number of articles.

    python benchmarks/interval_coverage.py [--corpora 500] [--json]

Each corpus draws articles with a level of their own and windows that scatter about it, so that windows of one
article resemble each other, as they do in text. Article lengths are log-normal. The truth of every figure is
known in closed form. A percentile interval from the same resamples stands beside the bootstrap-t one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np

from lvmcore.evaluation.statistics import Statistics

ARTICLES = (8, 20, 50, 100)
Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def cosine(random: np.random.Generator, group: np.ndarray) -> np.ndarray:
    """A cosine about 0.55: article levels scatter by 0.06, windows by 0.12. Truth 0.55."""
    level = random.normal(0, 0.06, group.max() + 1)
    return 0.55 + level[group] + random.normal(0, 0.12, len(group))


def skewed(random: np.random.Generator, group: np.ndarray) -> np.ndarray:
    """A gain whose article levels are skewed: most near 0, some large. Truth 0.01."""
    level = random.gamma(0.5, 0.02, group.max() + 1)
    return level[group] + random.normal(0, 0.05, len(group))


def rate(random: np.random.Generator, group: np.ndarray) -> np.ndarray:
    """R@5 about 0.25: each article has a rate of its own. Truth 0.25."""
    level = random.beta(2, 6, group.max() + 1)
    return (random.random(len(group)) < level[group]).astype(float)


def rare(random: np.random.Generator, group: np.ndarray) -> np.ndarray:
    """R@1 about 0.02. Truth 0.02."""
    level = random.beta(1, 49, group.max() + 1)
    return (random.random(len(group)) < level[group]).astype(float)


FIGURES: dict[str, tuple[Draw, float]] = {
    "cosine 0.55": (cosine, 0.55),
    "skewed gain 0.01": (skewed, 0.01),
    "rate 0.25": (rate, 0.25),
    "rare rate 0.02": (rare, 0.02),
}


def coverage(draw: Draw, truth: float, articles: int, corpora: int, seed: int) -> tuple[float, float]:
    """Shares of corpora whose bootstrap-t and percentile intervals hold the truth."""
    random = np.random.default_rng(seed)
    hits = np.zeros(2)
    for corpus in range(corpora):
        lengths = np.maximum(1, random.lognormal(3.8, 0.5, articles)).astype(int)
        group = np.repeat(np.arange(articles), lengths)
        statistics = Statistics({"x": draw(random, group)}, group, 1000, seed=corpus)
        bootstrap = statistics.bootstrap("x")
        estimate = bootstrap.estimate()
        low, high = np.quantile(bootstrap.values, (0.025, 0.975))
        assert estimate.low is not None
        assert estimate.high is not None
        hits += (estimate.low <= truth <= estimate.high, low <= truth <= high)
    return float(hits[0] / corpora), float(hits[1] / corpora)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    table = {
        name: {articles: coverage(draw, truth, articles, arguments.corpora, seed=17) for articles in ARTICLES}
        for name, (draw, truth) in FIGURES.items()
    }
    if arguments.json:
        print(json.dumps(table))
        return
    print("| figure | " + " | ".join(f"{a} articles" for a in ARTICLES) + " |")
    print("|---" * (1 + len(ARTICLES)) + "|")
    for name, row in table.items():
        print(f"| {name} | " + " | ".join(f"{t:.3f} ({p:.3f})" for t, p in row.values()) + " |")


if __name__ == "__main__":
    main()
