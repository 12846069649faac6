"""Every loss as a plain loop over the windows, in Python's own floats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lvmcore.training.step import Step

Rows = list[list[float]]


def cos(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / (math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b)))


def plain_mse(step: Step) -> float:
    raw, target = step.raw.tolist(), step.target.tolist()
    terms = [(x - y) ** 2 for a, b in zip(raw, target, strict=True) for x, y in zip(a, b, strict=True)]
    return sum(terms) / len(terms)


def plain_dir(step: Step, margin: float, row: int) -> float:
    terms = [
        max(0.0, margin - (cos(p, t) - cos(p, c[row])))
        for p, t, c in zip(step.raw.tolist(), step.target.tolist(), step.context.tolist(), strict=True)
    ]
    return sum(terms) / len(terms)


def plain_adaptive(step: Step) -> float:
    return 1 + sum(
        1 / (1 + math.exp(-(cos(c[-1], t) - 0.60) / 0.05))
        for t, c in zip(step.target.tolist(), step.context.tolist(), strict=True)
    ) / len(step.target)


def plain_ac(step: Step, margin: float) -> float:
    terms = [
        max(0.0, margin - (cos(p, t) - cos(p, row)))
        for p, t, c in zip(step.raw.tolist(), step.target.tolist(), step.context.tolist(), strict=True)
        for row in c
    ]
    return sum(terms) / len(terms)


def lists(step: Step) -> zip[tuple[list[float], list[float], Rows]]:
    """Prediction, target and context of each window."""
    return zip(step.raw.tolist(), step.target.tolist(), step.context.tolist(), strict=True)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def plain_smooth(
    step: Step, margin: float = 0.05, gamma: float = 4, alpha: float = 0.7, ratio_margin: float = 0.05, row: int = -2
) -> float:
    terms = []
    for p, t, c in lists(step):
        ahead, behind = cos(p, t), cos(p, c[row])
        ratio = (ahead - behind) / (abs(ahead) + abs(behind))
        of_gap = softplus(gamma * (margin - (ahead - behind))) / gamma
        of_ratio = softplus(gamma * (ratio_margin - ratio)) / gamma
        terms.append(alpha * of_gap + (1 - alpha) * of_ratio)
    return sum(terms) / len(terms)


def plain_micro(step: Step, margin: float = 0.02, gamma: float = 5) -> float:
    terms = [softplus(gamma * (cos(p, c[-1]) - cos(p, t) + margin)) for p, t, c in lists(step)]
    return sum(terms) / len(terms)


def later_row(step: Step, window: int, offset: int) -> list[float] | None:
    """Row x_{t+offset}, if the article has it."""
    corpus, row = step.batch.corpus, int(step.batch.targets[window]) + offset
    end = next(e for e in corpus.starts.tolist() if e > int(step.batch.targets[window]))
    return corpus.rows(torch.tensor(row)).tolist() if row < end else None


def plain_future(step: Step, margin: float = 0.008, rows: int = 2) -> float:
    value = 0.0
    for offset in range(1, rows + 1):
        terms = []
        for i, (p, t, _) in enumerate(lists(step)):
            if (later := later_row(step, i, offset)) is not None:
                terms.append(max(0.0, margin - (cos(p, t) - cos(p, later))))
        value += sum(terms) / len(terms) if terms else 0.0
    return value


def rolled(step: Step, window: int, h: int) -> Rows:
    """p_1 … p_h of one window."""
    raw = step.raw[window].detach()
    found = [raw / raw.norm()]
    context = list(step.context[window])
    while len(found) < h:
        context = [*context[1:], found[-1]]
        raw = step.predict(torch.stack(context)[None])[0]
        found.append(raw / raw.norm())
    return [p.tolist() for p in found]


def plain_roll_future(step: Step, h: int = 3) -> float:
    terms = []
    for i in range(len(step.raw)):
        for offset, p in enumerate(rolled(step, i, h)):
            if (row := later_row(step, i, offset)) is not None:
                terms.append(1 - cos(p, row))
    return sum(terms) / len(terms)


def plain_roll_flat(step: Step, h: int = 3) -> float:
    terms = []
    for i in range(len(step.raw)):
        found = rolled(step, i, h)
        terms += [10 * max(0.0, cos(a, b) - 0.95) for a, b in zip(found[1:], found[:-1], strict=True)]
    return sum(terms) / len(terms)


def surprise(scores: list[float], index: int) -> float:
    """−log softmax(scores)[index]."""
    return math.log(sum(math.exp(s) for s in scores)) - scores[index]


def plain_nce(
    step: Step, drawn: tuple[Tensor, Tensor], negatives: str = "batch", tau: float = 0.07, mask: bool = True
) -> float:
    p, t, c = step.raw.tolist(), step.target.tolist(), step.context.tolist()
    articles, count = step.batch.articles.tolist(), len(p)
    forward = backward = 0.0
    for i in range(count):
        others = [j for j in range(count) if j != i and not (mask and articles[i] == articles[j])]
        scores = [cos(p[i], t[i]) / tau]
        if "batch" in negatives:
            backward += surprise([scores[0], *(cos(p[j], t[i]) / tau for j in others)], 0)
            scores += [cos(p[i], t[j]) / tau for j in others]
        if "context" in negatives:
            scores += [cos(p[i], row) / tau for row in c[i]]
        if "article" in negatives:
            rows, there = drawn[0][i].tolist(), drawn[1][i].tolist()
            scores += [cos(p[i], row) / tau for row, is_there in zip(rows, there, strict=True) if is_there]
        forward += surprise(scores, 0)
    return (forward + backward) / count


def plain_listwise(step: Step, drawn: tuple[Tensor, Tensor], tau: float = 0.07, row: int = -2) -> float:
    terms = []
    for (p, t, c), rows, there in zip(lists(step), drawn[0].tolist(), drawn[1].tolist(), strict=True):
        listed = [t, c[row], *(x for x, is_there in zip(rows, there, strict=True) if is_there)]
        terms.append(surprise([cos(p, x) / tau for x in listed], 0))
    return sum(terms) / len(terms)


def unit(row: list[float]) -> list[float]:
    return [x / math.sqrt(sum(y * y for y in row)) for x in row]


def mean_and_deviation(channel: list[float]) -> tuple[float, float]:
    mean = sum(channel) / len(channel)
    return mean, math.sqrt(sum((x - mean) ** 2 for x in channel) / len(channel))


def plain_moment(step: Step) -> float:
    terms = []
    for of_p, of_t in zip(zip(*map(unit, step.raw.tolist()), strict=True), zip(*step.target.tolist(), strict=True)):  # noqa: B905
        (mean_p, std_p), (mean_t, std_t) = mean_and_deviation(list(of_p)), mean_and_deviation(list(of_t))
        terms.append((mean_p - mean_t) ** 2 + (std_p - std_t) ** 2)
    return sum(terms) / len(terms)


def plain_variance(step: Step) -> float:
    channels = list(zip(*map(unit, step.raw.tolist()), strict=True))
    terms = [max(0.0, 1 / math.sqrt(len(channels)) - mean_and_deviation(list(c))[1]) for c in channels]
    return sum(terms) / len(terms)


def plain_floor(step: Step, tau: float = 0.10) -> float:
    terms = [max(0.0, tau - cos(p, t)) ** 2 for p, t, _ in lists(step)]
    return sum(terms) / len(terms)


def plain_norm(step: Step) -> float:
    terms = [(math.sqrt(sum(x * x for x in p)) - 1) ** 2 for p in step.raw.tolist()]
    return sum(terms) / len(terms)


def plain_orth(step: Step, row: int = -2) -> float:
    terms = [cos(p, c[row]) ** 2 for p, _, c in lists(step)]
    return sum(terms) / len(terms)


def plain_cos(step: Step) -> float:
    terms = [1 - cos(p, t) for p, t, _ in lists(step)]
    return sum(terms) / len(terms)


def plain_rank(step: Step, k: int = 5, tau: float = 0.1) -> float:
    """By looking through the window's own article, row after row."""
    corpus, terms = step.batch.corpus, []
    for target, (p, t, c) in zip(step.batch.targets.tolist(), lists(step), strict=True):
        article = int(corpus.article_of[target])
        begin, end = corpus.starts[article : article + 2].tolist()
        others = [row for row in range(begin, end) if not target - len(c) <= row <= target]
        scores = sorted((cos(p, corpus.rows(torch.tensor([row]))[0].tolist()) for row in others), reverse=True)
        terms.append(1 / (1 + math.exp((cos(p, t) - scores[k - 1]) / tau)) if len(scores) >= k else 0.0)
    return sum(terms) / len(terms)
