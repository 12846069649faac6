"""Is there a forward signal, in which direction, and would more text show more of it? Measured on held-out articles."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import numpy as np
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.evaluation.checks import Check
from lvmcore.evaluation.figures import COSINE, Columns, Estimate
from lvmcore.evaluation.fivecat.offsets import OffsetSweep
from lvmcore.evaluation.measurement import Predictor, columns_of, statistics_of
from lvmcore.evaluation.predictors import BASELINE, of_role, role_of, term_of, yardstick, yardsticks
from lvmcore.evaluation.rows import cosine
from lvmcore.expression import Term
from lvmcore.inspection.plan import Plan
from lvmcore.inspection.reference import AVERAGE, BATCH, LEVELS, LINEAR, REFERENCE, SMOOTHED, Reference, fit
from lvmcore.inspection.sample import portion, turned
from lvmcore.registry import Registry

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
LEAST_ARTICLES = 3
"""Training articles below which the reference has nothing to choose its strengths by."""

Say = Callable[[str], None]


@attrs.frozen
class Level:
    """What the reference gets when some of its steps are done."""

    cosine: Estimate
    gain: Estimate
    """Over the average, window by window."""


@attrs.frozen
class Way:
    """The windows read in one direction."""

    levels: dict[str, Level]
    """`average`, `smoothed`, `linear`, `reference`: each knows what those before it know."""
    gain: Estimate
    """Cosine of the reference less that of the average."""
    smoothing: Estimate
    """The part of it that is a better use of the average alone."""
    predictability: Estimate
    """The part of it that only the rows in their order can give."""


@attrs.frozen
class Point:
    """The reference, fit on some of the training articles."""

    share: float
    articles: int
    windows: int
    gain: Estimate
    predictability: Estimate


@attrs.frozen
class Growth:
    """What more training text gives."""

    points: list[Point]
    gain: Estimate | None
    """A doubling of the training articles adds so much to the gain: the slope of a line through the points."""
    predictability: Estimate | None
    """The same of predictability."""
    last: Estimate | None
    """What the last doubling added to the gain."""


@attrs.frozen
class Beside:
    """A predictor on the same windows, as 5CAT sees it."""

    role: str
    cosine: Estimate
    gain: Estimate
    margin: Estimate


@attrs.frozen
class Signal:
    """What the training articles tell of the held-out ones."""

    split: str
    articles: int
    windows: int
    train_articles: int
    train_windows: int
    forwards: Way
    backwards: Way
    asymmetry: Estimate
    """Gain forwards less gain backwards, on the same rows read the other way round."""
    growth: Growth
    beside: dict[str, Beside]
    """By name: the yardsticks, and the levels of the reference."""


class Signals:
    """Measures the signal of a corpus that fits in memory.

    Raises:
        LvmError: there are no windows of train, or of the split that is held out.
    """

    def __init__(self, corpus: Corpus, registry: Registry, plan: Plan, say: Say = lambda said: None) -> None:
        self.corpus, self.registry, self.say = corpus, registry, say
        self.context, self.resamples, self.seed = plan.context, plan.resamples, plan.seed
        self.baseline: str | Term = plan.baseline or term_of(of_role(registry, BASELINE))
        self.train = corpus.windows("train", self.context).require("the reference model to be fit on")
        self.held = corpus.windows(plan.split, self.context).require("a signal to be measured on")

    @torch.inference_mode()
    def measure(self) -> Signal:
        """All of it."""
        self.say("the reference model, forwards")
        forwards = self.fit(self.corpus)
        self.say("the reference model, backwards")
        columns = self.columns(forwards, "forwards") | self.columns(self.fit(turned(self.corpus)), "backwards", True)
        parts = self.parts()
        for number, part in enumerate(parts[:-1]):
            self.say(f"the reference model on {len(part):,} training articles")
            fitted = self.columns(self.fit(portion(self.corpus, part)), "forwards")
            columns |= {f"{number}/{name}": held for name, held in fitted.items()}
        last = len(parts) - 1
        columns |= {f"{last}/{name}": columns[name] for name in list(columns) if name.startswith("forwards/")}
        columns["asymmetry"] = columns["forwards/gain"] - columns["backwards/gain"]
        lengths = self.corpus.starts.diff()
        sizes = [int((lengths[part] - self.context).sum()) for part in parts]
        columns |= slopes(columns, sizes)
        self.statistics = statistics_of(columns, self.held, self.resamples, self.seed)
        return Signal(
            self.held.split,
            self.statistics.articles,
            len(self.held),
            len(self.train.articles.unique()),
            len(self.train),
            self.way("forwards"),
            self.way("backwards"),
            self.statistics.difference("asymmetry"),
            self.growth(parts, sizes),
            self.beside(forwards),
        )

    def fit(self, corpus: Corpus) -> Reference:
        """The reference on the training articles of a corpus."""
        average = yardstick(self.baseline, corpus, self.registry, self.context).predict
        return fit(corpus, lambda rows: average(rows, rows[:, -1]), self.context)

    def parts(self) -> list[Tensor]:
        """Training articles in growing parts, each within the next; those that are too small are left out."""
        articles = self.train.articles.unique()
        order = articles[torch.randperm(len(articles), generator=torch.Generator().manual_seed(self.seed))]
        counts = [round(len(order) * share) for share in SHARES]
        return [order[:count] for count in counts if count >= LEAST_ARTICLES] or [order]

    def columns(self, reference: Reference, way: str, back: bool = False) -> Columns:
        """Cosine of each level, and what is made of them, a window each.

        Args:
            back: the same rows from the last to the first, so that the first of them is what is foretold.
        """
        cosines: dict[str, list[Tensor]] = {level: [] for level in LEVELS}
        for batch in self.held.batches(BATCH):
            rows = torch.cat([batch.context, batch.target[:, None]], 1)  # (B, C + 1, D)
            rows = rows.flip(1) if back else rows
            for level, answer in reference.levels(rows[:, :-1].contiguous()).items():
                cosines[level].append(cosine(torch.nn.functional.normalize(answer, dim=-1), rows[:, -1]))
        found = {level: torch.cat(parts).double().numpy() for level, parts in cosines.items()}
        average, smoothed, answer = found[AVERAGE], found[SMOOTHED], found[REFERENCE]
        named = found | {f"gain/{level}": held - average for level, held in found.items()}
        named |= {"gain": answer - average, "smoothing": smoothed - average, "predictability": answer - smoothed}
        return {f"{way}/{name}": column for name, column in named.items()}

    def way(self, name: str) -> Way:
        paired = self.statistics.difference
        return Way(
            {
                level: Level(
                    self.statistics.figure(f"{name}/{level}", COSINE), paired(f"{name}/gain/{level}")
                )
                for level in LEVELS
            },
            *(paired(f"{name}/{part}") for part in ("gain", "smoothing", "predictability")),
        )  # fmt: skip

    def growth(self, parts: list[Tensor], sizes: list[int]) -> Growth:
        paired = self.statistics.difference
        shares = SHARES[len(SHARES) - len(parts) :]
        points = [
            Point(
                share, len(part), size,
                paired(f"{number}/forwards/gain"), paired(f"{number}/forwards/predictability"),
            )
            for number, (share, part, size) in enumerate(zip(shares, parts, sizes, strict=True))
        ]  # fmt: skip
        if len(parts) < 3:
            return Growth(points, None, None, None)
        return Growth(points, paired("slope/gain"), paired("slope/predictability"), paired("last"))

    def beside(self, reference: Reference) -> dict[str, Beside]:
        """The yardsticks, and the levels of the reference, on the same windows."""
        baseline = yardstick(self.baseline, self.corpus, self.registry, self.context)
        found = {}
        for one in yardsticks(self.registry):
            self.say(f"the yardstick {one.name}")
            made = yardstick(term_of(one), self.corpus, self.registry, self.context)
            found[made.name] = self._beside(made, role_of(one), baseline)
        for level in (SMOOTHED, LINEAR, REFERENCE):
            made = Predictor(level, lambda rows, _, level=level: reference.levels(rows)[level])
            found[level] = self._beside(made, "reference", baseline)
        return found

    def _beside(self, predictor: Predictor, role: str, baseline: Predictor) -> Beside:
        check = Check(OffsetSweep(), self.context)
        columns = columns_of(predictor, self.held, [check], filter=baseline.predict)
        statistics = statistics_of(columns, self.held, self.resamples, self.seed)
        return Beside(
            role,
            statistics.figure("cosine", COSINE),
            statistics.difference("A/gain"),
            statistics.figure("A/margin"),
        )


def slopes(columns: Columns, sizes: list[int]) -> Columns:
    """What a doubling of the training windows adds, window by window, since a slope is a weighted sum of the points."""
    if len(sizes) < 3:
        return {}
    doublings = np.array([math.log2(size) for size in sizes])
    weights = doublings - doublings.mean()
    weights /= (weights**2).sum()
    last = len(sizes) - 1
    made = {
        f"slope/{part}": sum(
            weight * columns[f"{number}/forwards/{part}"] for number, weight in enumerate(weights)
        )
        for part in ("gain", "predictability")
    }  # fmt: skip
    return made | {"last": columns[f"{last}/forwards/gain"] - columns[f"{last - 1}/forwards/gain"]}  # pyright: ignore
