"""Why copying the last row is hard to beat in retrieval: where what a cheat retrieves lies, and the line between two.

    OMP_NUM_THREADS=1 python examples/next/retrieval.py wiki kjv factbook novels.safetensors

Of each cheat, on VAL: R@5 unseen; how much nearer the rows that it retrieves lie to their article's mean than its rows
do, in standard deviations; and what share of all places the most retrieved tenth of the rows takes (a tenth, were all
retrieved alike). Then the line from the filter to the last row: dF and dCL of their mixtures, which know nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor

from lvmcore import Corpus, Lab, LvmError, Windows
from lvmcore.evaluation.evaluator import CAUSAL, Evaluator
from lvmcore.evaluation.measurement import Predictor
from lvmcore.evaluation.predictors import yardstick
from lvmcore.evaluation.settings import Settings

PLACES = 5
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Of the last row in the mixture."""
Predict = Callable[[Tensor], Tensor]


@attrs.frozen
class Retrieved:
    """Of what is retrieved, over all windows."""

    found: float
    """Windows whose target is among it."""
    central: float
    """Standard deviations by which it is nearer to the article's mean than the article's rows are."""
    hubs: float
    """Share of the places that the most retrieved tenth of the rows has."""


def retrieved(windows: Windows, predict: Predict) -> Retrieved:
    """Retrieve in each window's own article, among the rows that are not in its context."""
    corpus, sums, total = windows.corpus, torch.zeros(3).double(), 0
    articles = windows.articles
    for article in articles.unique().tolist():
        batch = windows.take((articles == article).nonzero()[:, 0])
        start, end = corpus.starts[article : article + 2].tolist()
        rows, count = corpus.rows(torch.arange(start, end)), len(batch.targets)
        scores = F.normalize(predict(batch.context), dim=-1) @ rows.T  # (B, N)
        seen = batch.targets[:, None] - start - torch.arange(1, windows.context + 1)
        scores.scatter_(1, seen, -torch.inf)
        best = scores.topk(min(PLACES, len(rows) - windows.context)).indices
        nearness = rows @ F.normalize(rows.mean(0), dim=0)
        nearness = (nearness - nearness.mean()) / nearness.std().clamp_min(1e-6)
        times = torch.bincount(best.flatten(), minlength=len(rows)).sort(descending=True).values
        own = (
            (best == batch.targets[:, None] - start).any(1).double().mean(),
            nearness[best].mean(),
            times[: max(1, len(rows) // 10)].sum() / times.sum(),
        )
        sums, total = sums + count * torch.stack([value.double() for value in own]), total + count
    return Retrieved(*(sums / total).tolist())


def mixtures(lab: Lab, corpus: Corpus, filtered: Predict) -> Iterator[tuple[float, float, float]]:
    """Share of the last row, dF, and dCL in points, on VAL."""
    evaluator = Evaluator(corpus, lab.registry, lab.catalogue, Settings(profile=CAUSAL, splits=("val",)))
    for share in SHARES:

        def mixed(context: Tensor, _: Tensor, share: float = share) -> Tensor:
            return (1 - share) * F.normalize(filtered(context), dim=-1) + share * context[:, -1]

        found = evaluator.evaluate(Predictor(f"{share}", mixed)).document["differences"]["val"]
        yield share, found["filter"]["A.cosine"]["value"], 100 * found["copy-last"]["B.unseen.r5"]["value"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="corpora, by name or file")
    asked = parser.parse_args()
    lab = Lab(progress=False)
    try:
        for data in asked.data:
            corpus = lab.corpus(data)
            windows = corpus.windows("val").require("retrieval")
            own = yardstick("filter", corpus, lab.registry).predict

            def filtered(context: Tensor, own: Callable[[Tensor, Tensor], Tensor] = own) -> Tensor:
                return own(context, context[:, -1])

            for name, predict in (("copy-last", lambda context: context[:, -1]), ("filter", filtered)):
                one = retrieved(windows, predict)
                print(f"{data} {name}: R@5 unseen {one.found:.1%}, central {one.central:+.2f}, hubs {one.hubs:.0%}")
            for share, cosine, ranks in mixtures(lab, corpus, filtered):
                print(f"{data} {share:.1f} of the last row: dF {cosine:+.4f}, dCL {ranks:+.1f}")
    except LvmError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
