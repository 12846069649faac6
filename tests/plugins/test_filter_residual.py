"""The architecture that begins as the filter: against plain loops in float64."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lvmcore.checkpoint import load_model, save_model
from lvmcore.data.corpus import Corpus
from lvmcore.errors import LvmError
from lvmcore.evaluation.predictors import yardstick
from lvmcore.model import LatentVectorModel, build_model, fit
from lvmcore.registry import Registry


def built(text: str, corpus: Corpus, registry: Registry, fitted: bool = True) -> LatentVectorModel:
    torch.manual_seed(0)
    model = build_model(text, "", corpus.dim, 5, registry).eval()
    if fitted:
        fit(model, corpus.windows("train"))
    return model


def moved(model: LatentVectorModel) -> LatentVectorModel:
    """With other weights than those that it began with, so that every part says something."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def contexts(corpus: Corpus) -> Tensor:
    windows = corpus.windows("val")
    return windows.take(torch.arange(len(windows))).context


@pytest.mark.parametrize("correction", ["mlp", "transformer", "none"])
@pytest.mark.parametrize("gate", [0, 32])
def test_before_it_is_trained_it_is_the_filter(correction: str, gate: int, corpus: Corpus, registry: Registry) -> None:
    model = built(f"filter-residual,correction={correction},gate={gate},hidden=32", corpus, registry)
    rows = contexts(corpus)
    expected = yardstick("filter", corpus, registry).predict(rows, rows[:, 0])
    torch.testing.assert_close(model(rows), expected, atol=2e-6, rtol=0)


def test_it_may_begin_as_the_last_row_or_as_nothing(corpus: Corpus, registry: Registry) -> None:
    rows = contexts(corpus)
    assert torch.equal(built("filter-residual:last", corpus, registry)(rows), rows[:, -1])
    assert not built("filter-residual:none", corpus, registry)(rows).any()


def test_what_it_has_not_fit_is_a_mean_that_later_rows_count_for_more_in(corpus: Corpus, registry: Registry) -> None:
    rows = contexts(corpus)
    expected = sum((i + 1) / 15 * rows[:, i] for i in range(5))
    torch.testing.assert_close(built("filter-residual", corpus, registry, fitted=False)(rows), expected)


def test_it_is_its_formula(corpus: Corpus, registry: Registry) -> None:
    model = moved(built("filter-residual,gate=3,hidden=4", corpus, registry)).double()
    held = {name.removeprefix("architecture."): tensor.tolist() for name, tensor in model.state_dict().items()}

    def linear(name: str, x: list[float]) -> list[float]:
        weight, bias = held[f"{name}.weight"], held[f"{name}.bias"]
        return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]

    def gelu(x: list[float]) -> list[float]:
        return [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x]

    def cos(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    context = contexts(corpus)[:4].double()
    for rows, found in zip(context.tolist(), model(context).tolist(), strict=True):
        vectors = [*rows, held["mean"]]
        cosines = [cos(vectors[i], vectors[j]) for i in range(6) for j in range(i + 1, 6)]
        gate = linear("gate.2", gelu(linear("gate.0", cosines)))
        weights = [held["start"][i] + held["trained"][i] + gate[i] for i in range(6)]
        correction = linear("correction.5", gelu(linear("correction.2", [v for row in rows for v in row])))
        expected = [
            sum(w * vector[d] for w, vector in zip(weights, vectors, strict=True)) + correction[d]
            for d in range(corpus.dim)
        ]
        assert found == pytest.approx(expected, abs=1e-12)


def test_what_it_has_seen_is_saved_with_the_weights(corpus: Corpus, registry: Registry, tmp_path: Path) -> None:
    model = moved(built("filter-residual", corpus, registry))
    save_model(tmp_path / "model.safetensors", model, {})
    again, _ = load_model(tmp_path / "model.safetensors", registry)
    assert torch.equal(again(contexts(corpus)), model(contexts(corpus)))
    torch.testing.assert_close(again.get_buffer("architecture.mean").norm(), _mean(corpus).norm())


def _mean(corpus: Corpus) -> Tensor:
    return F.normalize(corpus.vectors[corpus.rows_of("train")[:]].float(), dim=-1).mean(0)


def test_a_width_that_heads_cannot_share_is_refused(registry: Registry) -> None:
    with pytest.raises(LvmError, match="hidden=30"):
        build_model("filter-residual,correction=transformer,hidden=30", "", 8, 5, registry)
