"""What follows a text: several steps of a model, each with the chunks of a corpus that are nearest to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.errors import LvmError
from lvmcore.evaluation.measurement import Predictor
from lvmcore.prediction.neighbours import Neighbour, neighbours
from lvmcore.prediction.reading import read_passage
from lvmcore.registry import Registry
from lvmcore.turns import at_once


@attrs.frozen(eq=False)
class Forecast:
    """What a model says of a text."""

    model: str
    corpus: str
    context: tuple[str, ...]
    """The chunks that it read."""
    vectors: Tensor
    """(steps, D) unit predictions, each made of the rows before it."""
    steps: tuple[tuple[Neighbour, ...], ...]
    """The nearest chunks of each step, the best first."""
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As `lvm predict --json` prints it."""
        return {
            "schema": 1,
            "model": self.model,
            "corpus": self.corpus,
            "context": list(self.context),
            "steps": [
                {"vector": vector, "nearest": [attrs.asdict(one) for one in found]}
                for vector, found in zip(self.vectors.tolist(), self.steps, strict=True)
            ],
        }


@torch.inference_mode()
def forecast(
    predictor: Predictor,
    context: int,
    text: str | Path,
    corpus: Corpus,
    registry: Registry,
    *,
    steps: int = 1,
    count: int = 5,
    encoder: str = "",
    chunker: str = "",
) -> Forecast:
    """Read the last chunks of a text, predict what follows, and look for it in the corpus.

    Args:
        context: C, the chunks that the predictor reads.
        count: neighbours a step. Rows that are a chunk of the context themselves are no answer, and left out.

    Raises:
        LvmError: as `read_passage`; a predictor that wants to see the target, or gives no direction.
    """
    if predictor.sees_target:
        raise LvmError(f"'{predictor.name}' sees the target, and here there is none", fix="a model, or a cheat")
    passage, notes = read_passage(text, corpus, registry, context, encoder=encoder, chunker=chunker)
    vectors = torch.stack(list(_rollout(predictor, passage.vectors, steps)))
    found = at_once(neighbours(corpus, passage.vectors, vectors, count))
    return Forecast(predictor.name, corpus.info.name, passage.chunks, vectors, found, tuple(notes))


def _rollout(predictor: Predictor, rows: Tensor, steps: int) -> Iterator[Tensor]:
    """Predictions (D,), each fed back."""
    for _ in range(steps):
        raw = predictor.predict(rows[None], rows[:1])[0].float()
        if not (length := raw.norm()).isfinite() or not length:
            raise LvmError("the prediction is no direction: not finite, or 0", where=predictor.name)
        rows = torch.cat([rows[1:], (raw / length)[None]])
        yield rows[-1]
