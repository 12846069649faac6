"""Why letters did not pass, in words: a reason a figure, made of the conditions that were not met. Needs no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import attrs

from lvmcore.evaluation.figures import NONE, Declared, apart, signed
from lvmcore.variants.gates import CHEATS, ROUNDING, by_figure, parse_rule

Condition = dict[str, Any]
"""One gate and what came of it, as it stands in a document's `conditions`."""


@attrs.frozen
class Reason:
    """A figure that does not meet its conditions."""

    letter: str
    label: str
    """The figure in words."""
    cells: dict[str, str]
    """Split → what was measured there, `VAL 0.031`; of a rule about an interval, the interval."""
    held: Collection[str]
    """The splits whose condition holds all the same."""
    needs: str
    """What the conditions ask for, or what is wrong."""

    def __str__(self) -> str:
        return f"{self.label} {', '.join(self.cells.values())}: {self.needs}"


def reasons(
    conditions: Iterable[Condition], evaluation: Mapping[str, Any], declared: Mapping[str, Declared]
) -> Iterator[Reason]:
    """The figures of a profile that do not meet their conditions.

    Args:
        conditions: all those of the profile.
        evaluation: what they were held against, with its differences from the cheats.
        declared: its figures by their keys.
    """
    told = [one for one in conditions if not is_moot(one, evaluation, declared)]
    for key, found in by_figure(told).items():
        if all(one["holds"] is True for one in found.values()):
            continue
        letter, _, name = key.partition(".")
        one = declared.get(key)
        yield Reason(
            letter,
            one.figure.label if one else name,
            {split: _cell(condition, evaluation, one) for split, condition in found.items()},
            [split for split, condition in found.items() if condition["holds"]],
            _needs(key, found, evaluation),
        )


def is_moot(condition: Condition, evaluation: Mapping[str, Any], declared: Mapping[str, Declared]) -> bool:
    """Whether a condition is about nothing: what an empty bin must not be."""
    one, split = declared.get(f"{condition['letter']}.{condition['figure']}"), condition["split"]
    if condition["value"] is not None or one is None or not parse_rule(condition["condition"]).negated:
        return False
    beside = evaluation["splits"].get(split)
    for part in one.path[:-1]:
        beside = (beside or {}).get(part)
    return (beside or {}).get("windows") == 0


def paired(evaluation: Mapping[str, Any], split: str, key: str) -> dict[str, dict[str, Any] | None]:
    """Each cheat with the model's paired difference from it in a figure; None where there is none."""
    return {cheat: found.get(key) for cheat, found in evaluation.get("differences", {}).get(split, {}).items()}


def unbeaten(evaluation: Mapping[str, Any], split: str, key: str) -> list[str]:
    """The cheats that are not beaten in a figure: the lower end of the paired difference is not above 0."""
    found = paired(evaluation, split, key).items()
    return [cheat for cheat, one in found if one and one["low"] is not None and one["low"] <= ROUNDING]


def _cell(condition: Condition, evaluation: Mapping[str, Any], one: Declared | None) -> str:
    rule, text = parse_rule(condition["condition"]), NONE
    if condition["value"] is not None:
        text = apart(condition["value"], rule.threshold)
        figure = one.find(evaluation, condition["split"]) if one else None
        if rule.interval and figure and figure["low"] is not None:
            text = f"{signed(figure['low'])} … {signed(figure['high'])}"
    return text if condition["split"] == "both" else f"{condition['split'].upper()} {text}"


def _needs(key: str, found: Mapping[str, Condition], evaluation: Mapping[str, Any]) -> str:
    texts = dict.fromkeys(one["condition"] for one in found.values())
    if CHEATS in texts:
        said = [_unbeaten(key, found, evaluation)]
    elif any(parse_rule(text).interval for text in texts):
        failed = {split: one for split, one in found.items() if one["holds"] is False}
        wrong = " / ".join(dict.fromkeys(_words(one["condition"]) for one in failed.values()))
        said = [wrong + _on(failed, found) if failed else ""]
    else:
        said = [f"needs {' / '.join(map(_words, texts))}"]
    lacking: dict[str, list[str]] = {}
    for split, one in found.items():
        if one["holds"] is None:
            evaluated = split == "both" or split in evaluation["splits"]
            why = "not evaluated" if not evaluated else "not measurable" if one["value"] is None else "no interval"
            lacking.setdefault(why, []).append(split)
    said += [why + _on(splits, found) for why, splits in lacking.items()]
    return "; ".join(part for part in said if part)


def _on(some: Collection[str], splits: Collection[str]) -> str:
    """Where something holds of some of the splits alone."""
    return "" if len(some) == len(splits) else f" on {', '.join(split.upper() for split in some)}"


def _words(condition: str) -> str:
    rule = parse_rule(condition)
    if not rule.interval:
        return condition.replace(">=", "≥").replace("<=", "≤")
    side = f"all {'below' if rule.sign == '<' else 'above'} {rule.threshold:g}"
    return side if rule.negated else f"not {side}"


def _unbeaten(key: str, found: Collection[str], evaluation: Mapping[str, Any]) -> str:
    """`not above filter`, and what stands above on one split only: `not above filter; on OOD ridge`."""
    names = {split: unbeaten(evaluation, split, key) for split in found}
    common = [cheat for cheat in next(iter(names.values())) if all(cheat in held for held in names.values())]
    parts = [", ".join(common)] if common else []
    for split, held in names.items():
        if only := [cheat for cheat in held if cheat not in common]:
            parts.append(f"on {split.upper()} {', '.join(only)}")
    return f"not above {'; '.join(parts)}" if parts else ""
