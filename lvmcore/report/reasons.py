"""Why letters did not pass: one condition a line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lvmcore.evaluation.figures import NONE, Declared, apart, signed
from lvmcore.evaluation.judgement import unbeaten
from lvmcore.registry import Registry
from lvmcore.report.columns import declared_in
from lvmcore.report.evaluation import profiles_of
from lvmcore.report.tables import note
from lvmcore.variants.gates import CHEATS, by_figure, parse_rule

Condition = dict[str, Any]


def reasons(evaluation: Mapping[str, Any], registry: Registry) -> Group:
    """What to be careful about, and the conditions that were not met."""
    parts: list[RenderableType] = [note(warning) for warning in evaluation.get("warnings", [])]
    known = declared_in(evaluation, registry)
    for verdict in profiles_of(evaluation):
        if verdict["why"]:
            heading = f"not met of '{verdict['profile']}'"
            parts += [Text(heading, style="bold"), _table(verdict, evaluation, known), Text()]
    return Group(*parts)


def _table(verdict: dict[str, Any], evaluation: Mapping[str, Any], known: Mapping[str, Declared]) -> Table:
    table = Table.grid(padding=(0, 2))
    splits = list(evaluation["splits"])
    for _ in range(2 + len(splits)):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    told = set()
    for key, found in _unmet(verdict):
        letter, _, figure = key.partition(".")
        told.add(letter)
        one = known.get(key)
        cells = [_cell(found.get(split), evaluation, one) for split in splits]
        if "both" in found:
            cells[0] = _cell(found["both"], evaluation, one)
        label = one.figure.label if one else figure
        table.add_row(Text(f" {letter}"), Text(label), *cells, Text(_needs(key, found, evaluation)))
    for letter in verdict["why"].keys() - told:  # nothing in it could be measured
        table.add_row(Text(f" {letter}"), Text(""), *(Text() for _ in splits), Text(verdict["why"][letter]))
    return table


def _unmet(verdict: dict[str, Any]) -> Iterator[tuple[str, dict[str, Condition]]]:
    """Letter and figure → its conditions by split, where one of them does not hold."""
    told = [one for one in verdict["conditions"] if one["letter"] in verdict["why"] and not _about_nothing(one)]
    for key, found in by_figure(told).items():
        if any(one["holds"] is not True for one in found.values()):
            yield key, found


def _about_nothing(one: Condition) -> bool:
    return one["value"] is None and parse_rule(one["condition"]).negated  # an empty bin


def _cell(one: Condition | None, evaluation: Mapping[str, Any], declared: Declared | None) -> Text:
    """`VAL 0.031`; of a rule about an interval, the interval. What holds is dim."""
    if one is None:
        return Text()
    rule, text = parse_rule(one["condition"]), NONE
    if one["value"] is not None:
        text = apart(one["value"], rule.threshold)
        figure = declared.find(evaluation, one["split"]) if declared else None
        if rule.interval and figure and figure["low"] is not None:
            text = f"{signed(figure['low'])} … {signed(figure['high'])}"
    place = "" if one["split"] == "both" else f"{one['split'].upper()} "
    return Text(f"{place}{text}", style="dim" if one["holds"] else "")


def _needs(key: str, found: dict[str, Condition], evaluation: Mapping[str, Any]) -> str:
    """What the conditions ask for, or what is wrong, in words."""
    texts = dict.fromkeys(one["condition"] for one in found.values())
    if CHEATS in texts:
        said = [_unbeaten(key, found, evaluation)]
    elif any(parse_rule(text).interval for text in texts):
        failed = {split: one for split, one in found.items() if one["holds"] is False}
        wrong = " / ".join(dict.fromkeys(_words(one["condition"]) for one in failed.values()))
        said = [wrong + _on(failed, found) if failed else ""]
    else:
        said = [f"needs {' / '.join(map(_words, texts))}"]
    for reason, valued in (("no interval", True), ("not measurable", False)):
        lacking = {s: one for s, one in found.items() if one["holds"] is None and (one["value"] is not None) is valued}
        said += [reason + _on(lacking, found)] if lacking else []
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
    names = {split: list(unbeaten(evaluation, split, key)) for split in found}
    common = [cheat for cheat in next(iter(names.values())) if all(cheat in held for held in names.values())]
    parts = [", ".join(common)] if common else []
    for split, held in names.items():
        if only := [cheat for cheat in held if cheat not in common]:
            parts.append(f"on {split.upper()} {', '.join(only)}")
    return f"not above {'; '.join(parts)}" if parts else ""
