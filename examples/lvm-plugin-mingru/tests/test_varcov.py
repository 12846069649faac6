"""varcov: against plain loops, and at what is known by hand."""

import pytest
import torch
from lvmcore.testing.material import random_step

from lvm_plugin_mingru.varcov import EPSILON, VarianceCovariance


def plain(predictions: list[list[float]], targets: list[list[float]], weight: float) -> float:
    count, dim = len(predictions), len(predictions[0])

    def channel(rows: list[list[float]], i: int) -> list[float]:
        values = [row[i] * dim**0.5 for row in rows]
        return [value - sum(values) / count for value in values]

    def std(values: list[float]) -> float:
        return (sum(value * value for value in values) / (count - 1) + EPSILON) ** 0.5

    variance = sum(max(0.0, std(channel(targets, i)) - std(channel(predictions, i))) for i in range(dim)) / dim
    between = 0.0
    for i in range(dim):
        for j in range(dim):
            if i != j:
                pairs = zip(channel(predictions, i), channel(predictions, j), strict=True)
                between += (sum(a * b for a, b in pairs) / (count - 1)) ** 2
    return variance + weight * between / dim


@pytest.mark.parametrize("weight", [0.0, 0.04, 1.0])
def test_it_is_the_plain_loop(weight: float) -> None:
    step = random_step(torch.float64)
    expected = plain(step.unit.tolist(), step.target.tolist(), weight)
    assert VarianceCovariance(covariance=weight).build()(step).item() == pytest.approx(expected)


def test_the_targets_themselves_spread_enough() -> None:
    step = random_step(torch.float64, random_step(torch.float64).target)
    assert VarianceCovariance(covariance=0.0).build()(step).item() == pytest.approx(0, abs=1e-12)


def test_the_same_answer_to_everything_is_punished() -> None:
    step = random_step(torch.float64, random_step(torch.float64).target[:1].expand(7, -1))
    assert VarianceCovariance(covariance=0.0).build()(step).item() > 0.3
