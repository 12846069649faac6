"""Test B, retrieval: is the target the row of its article that the prediction is nearest to?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from lvmcore.components import component
from lvmcore.evaluation.figures import RATE, Count, Figure
from lvmcore.evaluation.rows import pointing, where

if TYPE_CHECKING:
    from torch import Tensor

    from lvmcore.data.corpus import Corpus
    from lvmcore.evaluation.chunk import Chunk

LEAST = 6
"""Articles with fewer candidates are left out and counted."""

CANDIDATES = {"all": "all rows of the article", "unseen": "the rows of the article that are not in the context"}


@component
class Retrieval:
    """R@1, R@5 and MRR among all rows of the article and among the unseen ones, each beside what chance gives."""

    letter: ClassVar[str] = "B"
    title: ClassVar[str] = "retrieval"

    def figures(self, context: int) -> tuple[Figure, ...]:
        return tuple(figure for kind, rows in CANDIDATES.items() for figure in _figures(kind, rows))

    def counts(self) -> tuple[Count, ...]:
        return tuple(count for kind in CANDIDATES for count in counted(kind))

    def build(self) -> Callable[[Chunk], dict[str, Tensor]]:
        import torch

        def measure(chunk: Chunk) -> dict[str, Tensor]:
            """Rank of each window's target and the number of candidates, with and without the context rows.

            A prediction that is no direction finds nothing: its target stands last.
            """
            batch = chunk.batch
            rows = batch.rows_of_articles
            alike = chunk.keys.alike(rows)
            targets = torch.searchsorted(rows, batch.targets)[:, None]  # (B, 1), places among rows
            copies = alike == alike[targets]
            # (B, R): a window's candidates are rows of its own article
            inside = batch.corpus.article_of[rows] == batch.article_numbers[:, None]
            similarities = _similarities(chunk.prediction, batch.corpus, alike)
            copies, inside, targets = (held.to(similarities.device) for held in (copies, inside, targets))
            own = similarities.gather(1, targets)
            higher, ties = similarities > own, similarities == own
            masks = (inside, higher, ties, copies)
            # numbers of rows go back to the processor: not every device reckons in float64
            counts = {"all": [(mask & inside).sum(1).cpu() for mask in masks]}
            seen = targets - torch.arange(1, batch.length + 1, device=targets.device)  # (B, C)
            of_seen = [mask.gather(1, seen).sum(1).cpu() for mask in masks]
            counts["unseen"] = [whole - part for whole, part in zip(counts["all"], of_seen, strict=True)]
            columns: dict[str, Tensor] = {}
            lost = ~pointing(chunk.prediction).cpu()
            for kind, (candidates, above, level, same) in counts.items():
                enough, chance = candidates >= LEAST, standing(torch.zeros_like(above), candidates)
                above, level = torch.where(lost, candidates - 1, above), torch.where(lost, 1, level)
                found = {
                    "rank": 1 + above + (level - 1) / 2,
                    "candidates": candidates,
                    "duplicates": same - 1,
                    **standing(above, level),
                    **{f"chance_{name}": value for name, value in chance.items()},
                }
                columns |= {f"{kind}.{name}": where(enough, values) for name, values in found.items()}
            return columns

        return measure


HEADLINES = {"unseen.r5": 4, "all.r5": 6, "all.r1": 8}


def _figures(kind: str, rows: str) -> Iterator[Figure]:
    unseen = "" if kind == "all" else f" {kind}"
    for k in (1, 5):
        name = f"{kind}.r{k}"
        yield Figure(
            name,
            f"R@{k}{unseen}",
            help=f"how often the target is among the nearest {k} of {rows}",
            aggregate="rate",
            better="higher",
            compared=name == "unseen.r5",
            key=f"r{k}" if kind == "all" else "",
            headline=HEADLINES.get(name, 0),
        )
    yield Figure(f"{kind}.mrr", f"MRR{unseen}", help=f"mean of 1 / rank among {rows}", range=RATE, better="higher")
    aside = "chance R@1, R@5" if kind == "all" else f"chance, {kind}"
    for name, label in (("r1", "R@1"), ("r5", "R@5")):
        yield Figure(f"{kind}.chance_{name}", f"{label} by chance", aggregate="rate", aside=aside)
    yield Figure(f"{kind}.chance_mrr", "MRR by chance", range=RATE, hidden=True)


def counted(kind: str) -> Iterator[Count]:
    """What is counted beside the figures of one set of candidates."""
    skipped, copies = ("articles skipped in B", "duplicates") if kind == "all" else ("", "")
    yield Count(f"{kind}.windows", of=f"{kind}.rank")
    yield Count(f"{kind}.skipped_articles", of=f"{kind}.rank", what="articles without", label=skipped)
    yield Count(f"{kind}.duplicates", of=f"{kind}.duplicates", what="above 0", label=copies)


def standing(above: Tensor, level: Tensor) -> dict[str, Tensor]:
    """R@1, R@5 and MRR (B,) of targets with so many rows above them, on one level with so many, themselves included.

    A target stands at each place of its level equally often, so that what ranks all rows alike gets what chance gives.
    """
    import torch

    harmonic = torch.cat([torch.zeros(1), (1 / torch.arange(1, 1 + int((above + level).max())).double()).cumsum(0)])
    return {
        "r1": ((1 - above) / level).clamp(0, 1),
        "r5": ((5 - above) / level).clamp(0, 1),
        "mrr": (harmonic[above + level] - harmonic[above]) / level,
    }


def _similarities(prediction: Tensor, corpus: Corpus, alike: Tensor) -> Tensor:
    """Cosines of predictions (B, D) and rows (R,), by one product → (B, R).

    Equal rows share one column of the product: two columns of it may round differently, one can't.
    """
    distinct, column = alike.unique(return_inverse=True)
    return (prediction @ corpus.rows(distinct).T).index_select(1, column.to(prediction.device))
