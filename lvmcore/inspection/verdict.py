"""What the figures come to, in plain words, with the figures."""

from __future__ import annotations

from collections.abc import Iterator

from lvmcore.evaluation.figures import Estimate, plain, signed
from lvmcore.evaluation.statistics import FEW, SIGNS, few_articles
from lvmcore.inspection.duplicates import Duplicates
from lvmcore.inspection.reference import REFERENCE
from lvmcore.inspection.signal import Growth, Signal

SMALL = 0.002
"""A cosine below which a difference is of no use to anybody, however sure it is."""
TRIFLE = 0.0005
"""The same of what a doubling adds."""


def verdict(signal: Signal | None, copies: Duplicates, split: str, notes: list[str]) -> Iterator[str]:
    """A sentence or two on each question; what to be careful about is added to the notes."""
    if signal is None:
        yield "It can't be told whether there is a forward signal: there is nothing to measure it by."
    elif signal.articles < SIGNS:
        yield (
            f"It can't be told whether there is a forward signal: {signal.articles} articles of {split} are too few; "
            f"{SIGNS} can tell something, {FEW} tell it well."
        )
    else:
        if signal.articles < FEW:
            notes.append(few_articles(split, signal.articles))
        yield _forward(signal)
        yield _direction(signal)
        yield _more(signal.growth)
        yield _margins(signal)
    yield from _leaks(copies)


def _forward(signal: Signal) -> str:
    way = signal.forwards
    found, gain, smoothing = interval(way.predictability), interval(way.gain), signed(way.smoothing.value)
    if above(way.predictability):
        size = (
            "There is a forward signal" if (way.predictability.value or 0) >= SMALL else "There is a trace of a signal"
        )
        return (
            f"{size}: the rows in their order add {found} to the cosine that the best use of their average gets. "
            f"All in all the reference gains {gain} over the average, {smoothing} of it by smoothing."
        )
    rest = f"What is gained over the average, {gain}, is smoothing."
    if not above(way.gain):
        rest = f"Nor is the average itself beaten: {gain}."
    return (
        f"No forward signal was found with {signal.train_windows:,} training windows: the rows in their order add "
        f"{found} to the cosine that the best use of their average gets. {rest}"
    )


def _direction(signal: Signal) -> str:
    found = interval(signal.asymmetry)
    value = abs(signal.asymmetry.value or 0)
    if above(signal.asymmetry) and value >= SMALL:
        return f"It runs forward: what comes next is easier to tell than what came before, by {found}."
    if below(signal.asymmetry) and value >= SMALL:
        return f"It runs backward: what came before is easier to tell than what comes next, by {found}."
    return f"It shows no direction: what is gained forwards less what is gained backwards is {found}."


def _more(growth: Growth) -> str:
    if growth.gain is None or growth.last is None:
        return "Whether more data would help can't be told: there are too few training articles to take parts of them."
    assert growth.predictability is not None
    gain, order = interval(growth.gain), interval(growth.predictability)
    last = f"the last one added {interval(growth.last)} to the gain"
    if above(growth.predictability) and (growth.predictability.value or 0) >= TRIFLE:
        if above(growth.last):
            return f"More data would help: a doubling adds {order} to predictability and {gain} to the gain; {last}."
        return (
            f"More data may help little: a doubling adds {order} to predictability and {gain} to the gain, but {last}."
        )
    if above(growth.gain) and (growth.gain.value or 0) >= TRIFLE:
        return (
            f"More data would smooth the average better and shows no more than that: a doubling adds {gain} to the "
            f"gain and {order} to predictability; {last}."
        )
    return (
        f"More data of this kind shows no help: a doubling adds {order} to predictability, {gain} to the gain; {last}."
    )


def _margins(signal: Signal) -> str:
    reached = signal.beside[REFERENCE].margin
    oracles = [one.margin.value for one in signal.beside.values() if one.role == "oracle"]
    bound = f", and a perfect prediction {signed(oracles[0])}" if oracles else ""
    hope = (
        "a model that learns more than the reference is needed for one above 0"
        if (reached.value or 0) <= 0
        else "a margin above 0 can be hoped for"
    )
    return f"Margins: the reference has {interval(reached)}{bound}; {hope}."


def _leaks(copies: Duplicates) -> Iterator[str]:
    for name, held in copies.near.items():
        if name != "train" and held.across:
            exact = copies.exact[name]
            yield (
                f"Copies: {held.across:,} of {held.rows:,} rows of {name} are found, or nearly (cosine ≥ "
                f"{copies.threshold:g}), in another split too, {exact.across:,} of {exact.rows:,} exactly: a leak."
            )


def above(found: Estimate) -> bool:
    """Whether the whole interval lies above 0."""
    return found.low is not None and found.low > 0


def below(found: Estimate) -> bool:
    """Whether the whole interval lies below 0."""
    return found.high is not None and found.high < 0


def interval(found: Estimate) -> str:
    """`+0.117 [+0.112, +0.122]`; `nothing` where every window says so."""
    if found.value == found.low == found.high == 0:
        return "nothing"
    if found.low is None or found.high is None:
        return plain(found.value) if found.value is None else signed(found.value)
    return f"{signed(found.value)} [{signed(found.low)}, {signed(found.high)}]"
