"""The reference model: its ridge against plain loops in float64, and what each of its steps may know."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.errors import LvmError
from lvmcore.inspection.reference import FOLDS, LINEAR, REFERENCE, SMOOTHED, curve, fit, principal
from lvmcore.inspection.ridge import STRENGTHS, Moments, Ridge, chosen


def moments(features: Tensor, targets: Tensor, block: int = 7) -> Moments:
    found = Moments(features.shape[1], targets.shape[1])
    for given, wanted in zip(features.split(block), targets.split(block), strict=True):
        found.add(given, wanted)
    return found


def data(count: int = 60, features: int = 5, targets: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, features, generator=generator).double() + 2
    y = x @ torch.randn(features, targets, generator=generator).double() + torch.randn(
        count, targets, generator=generator
    )
    return x, y


def plain_ridge(x: np.ndarray, y: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradient zero of Σ ‖y − ȳ − (x − x̄)W‖² + penalty · ‖W‖², one output and one equation after another."""
    centre, mean = x.mean(0), y.mean(0)
    size = x.shape[1]
    variance = sum(sum((x[n, i] - centre[i]) ** 2 for n in range(len(x))) for i in range(size)) / size
    weights = np.zeros((size, y.shape[1]))
    left = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            left[i, j] = sum((x[n, i] - centre[i]) * (x[n, j] - centre[j]) for n in range(len(x)))
        left[i, i] += strength * variance
    for k in range(y.shape[1]):
        right = [sum((x[n, i] - centre[i]) * (y[n, k] - mean[k]) for n in range(len(x))) for i in range(size)]
        weights[:, k] = np.linalg.solve(left, right)
    return weights, centre, mean / (1 + strength)


@pytest.mark.parametrize("strength", [1e-3, 1.0, 100.0])
def test_the_ridge_is_that_of_a_plain_loop(strength: float) -> None:
    x, y = data()
    found = moments(x, y).solve(strength)
    weights, centre, mean = plain_ridge(x.numpy(), y.numpy(), strength)
    np.testing.assert_allclose(found.weights.numpy(), weights, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found(x).numpy(), (x.numpy() - centre) @ weights + mean, rtol=1e-8)


def test_the_error_from_moments_is_that_over_the_windows() -> None:
    x, y = data()
    other_x, other_y = data(seed=1)
    ridge = moments(x, y).solve(0.1)
    plain = sum(float(((other_y[n] - ridge(other_x[n : n + 1])[0]) ** 2).sum()) for n in range(len(other_x)))
    assert moments(other_x, other_y).error(ridge) == pytest.approx(plain, rel=1e-9)


def test_moments_add_up_whatever_the_blocks() -> None:
    x, y = data()
    whole, parts = moments(x, y, block=60), moments(x[:23], y[:23]) + moments(x[23:], y[23:])
    for name in ("x", "y", "xx", "xy"):
        torch.testing.assert_close(getattr(whole, name), getattr(parts, name), rtol=1e-12, atol=1e-9)
    assert (whole.count, whole.yy) == (parts.count, pytest.approx(parts.yy))


def test_the_strength_is_that_which_foretells_the_other_folds_best() -> None:
    x, y = data(90, 20, 2, seed=3)
    y = y + 4 * torch.randn(y.shape, generator=torch.Generator().manual_seed(5)).double()
    found = chosen([moments(x[i::3], y[i::3]) for i in range(3)])
    errors = {}
    for strength in STRENGTHS:
        errors[strength] = 0.0
        for fold in range(3):
            rest = [i for i in range(len(x)) if i % 3 != fold]
            weights, centre, mean = plain_ridge(x[rest].numpy(), y[rest].numpy(), strength)
            errors[strength] += float(
                ((y[fold::3].numpy() - (x[fold::3].numpy() - centre) @ weights - mean) ** 2).sum()
            )
    best = min(errors, key=lambda one: errors[one])
    assert isinstance(found, Ridge)
    torch.testing.assert_close(found.weights, moments(x, y).solve(best).weights, rtol=1e-6, atol=1e-9)


def test_where_nothing_can_be_foretold_nothing_is_added() -> None:
    x, y = data(400, 10, 3)
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).double()
    found = chosen([moments(x[i::3], noise[i::3]) for i in range(3)])
    assert found is None or float(found(x).norm(dim=1).mean()) < 0.05 * float(noise.norm(dim=1).mean())
    assert chosen([moments(x, y)]) is None
    assert chosen([]) is None


def corpus_of(rows: Tensor, splits: list[int]) -> Corpus:
    """Articles (A, L, D)."""
    count, length, dim = rows.shape
    return Corpus(
        rows.reshape(-1, dim).float(),
        torch.arange(count + 1) * length,
        torch.tensor(splits, dtype=torch.uint8),
        CorpusInfo(name="planted"),
    )


def planted(articles: int = 60, length: int = 20, dim: int = 12, seed: int = 0) -> Corpus:
    """A fixed rotation moves each row to the next, seen through a little noise."""
    generator = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(dim, dim, generator=generator).double())[0]
    rows = [torch.nn.functional.normalize(torch.randn(articles, dim, generator=generator).double(), dim=-1)]
    for _ in range(length - 1):
        moved = rows[-1] @ turn + 0.1 * torch.randn(articles, dim, generator=generator)
        rows.append(torch.nn.functional.normalize(moved, dim=-1))
    return corpus_of(torch.stack(rows, 1), [0] * articles)


def last(context: Tensor) -> Tensor:
    return context[:, -1] * 0


def test_a_matrix_that_moves_rows_is_found() -> None:
    corpus = planted()
    made = fit(corpus, last, 5)
    batch = corpus.windows("train").take(torch.arange(100))
    cosines = torch.cosine_similarity(made.levels(batch.context)[LINEAR], batch.target)
    assert float(cosines.mean()) > 0.9
    assert torch.equal(made(batch.context), made.levels(batch.context)[REFERENCE])


def test_the_smoothed_answer_knows_nothing_but_the_average() -> None:
    """Contexts of one mean get one smoothed answer, whatever their order."""
    corpus = planted()
    made = fit(corpus, lambda rows: rows.mean(1), 5)
    context = corpus.windows("train").take(torch.arange(50)).context
    there, back = made.levels(context), made.levels(context.flip(1).contiguous())
    torch.testing.assert_close(there[SMOOTHED], back[SMOOTHED], rtol=0, atol=1e-5)
    assert float((there[LINEAR] - back[LINEAR]).abs().max()) > 0.01


def test_the_fit_is_the_same_every_time() -> None:
    corpus = planted(articles=20)
    context = corpus.windows("train").take(torch.arange(20)).context
    assert torch.equal(fit(corpus, last, 5)(context), fit(corpus, last, 5)(context))


def test_principal_axes_are_those_of_the_covariance() -> None:
    windows = planted(articles=30).windows("train")
    mean, axes, variances = principal(windows, lambda batch: batch.target, 4)
    rows = torch.cat([batch.target for batch in windows.batches(64)]).double().numpy()
    plain = sum(np.outer(row - rows.mean(0), row - rows.mean(0)) for row in rows) / len(rows)
    np.testing.assert_allclose(mean.numpy(), rows.mean(0), atol=1e-6)
    np.testing.assert_allclose(variances.numpy(), np.linalg.eigvalsh(plain)[::-1][:4], rtol=1e-4)
    np.testing.assert_allclose(
        axes.double().numpy().T @ plain @ axes.double().numpy(), np.diag(variances.numpy()), atol=1e-6
    )


def test_a_curve_holds_every_product_once() -> None:
    windows = planted(articles=30).windows("train")
    made = fit(windows.corpus, lambda rows: rows.mean(1), 5)
    answer = made(windows.take(torch.arange(9)).context)
    found = curve(windows, made, 3)(answer, answer)
    mean, axes, variances = principal(windows, lambda batch: made(batch.context), 3)
    coordinates = (answer - mean) @ axes / variances.sqrt()
    for n in range(len(answer)):
        plain = [coordinates[n, i] * coordinates[n, j] for i in range(3) for j in range(i, 3)]
        torch.testing.assert_close(found[n], torch.stack(plain), rtol=1e-3, atol=1e-4)


def test_articles_are_never_parted_between_folds() -> None:
    from lvmcore.inspection.reference import _folds

    windows = planted(articles=10).windows("train")
    folds = _folds(windows)
    by_article = [set(folds[windows.articles == article].tolist()) for article in range(10)]
    assert all(len(one) == 1 for one in by_article)
    assert {next(iter(one)) for one in by_article} == set(range(FOLDS))


def test_rows_that_are_all_the_same_break_nothing() -> None:
    rows = torch.ones(9, 10, 6)
    corpus = corpus_of(rows, [0] * 9)
    made = fit(corpus, lambda context: context.mean(1), 5)
    assert made(corpus.windows("train").take(torch.arange(3)).context).isfinite().all()


def test_no_window_to_fit_on_is_named() -> None:
    with pytest.raises(LvmError, match="no article is in split 'train'"):
        fit(corpus_of(torch.ones(3, 10, 4), [1, 1, 1]), last, 5)
