"""Why letters did not pass: one condition a line."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lvm_cli.console import note
from lvm_cli.tables import profiles_of
from lvmcore.evaluation.figures import NONE, apart, signed
from lvmcore.report.format import figure_label
from lvmcore.variants.gates import CHEATS, beats, by_figure, find_figure, paired, parse_rule

Condition = dict[str, Any]


def reasons(evaluation: dict[str, Any]) -> Group:
    """What to be careful about, and the conditions that were not met."""
    parts: list[RenderableType] = [note(warning) for warning in evaluation.get("warnings", [])]
    for verdict in profiles_of(evaluation):
        if verdict["why"]:
            heading = f"not met of '{verdict['profile']}'"
            parts += [Text(heading, style="bold"), _table(verdict, evaluation), Text()]
    return Group(*parts)


def _table(verdict: dict[str, Any], evaluation: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    splits = list(evaluation["splits"])
    for _ in range(2 + len(splits)):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    told = set()
    for (letter, figure), found in _unmet(verdict):
        told.add(letter)
        cells = [_cell(found.get(split), evaluation) for split in splits]
        if "both" in found:
            cells[0] = _cell(found["both"], evaluation)
        table.add_row(Text(f" {letter}"), Text(figure_label(figure)), *cells, Text(_needs(found, evaluation)))
    for letter in verdict["why"].keys() - told:  # nothing in it could be measured
        table.add_row(Text(f" {letter}"), Text(""), *(Text() for _ in splits), Text(verdict["why"][letter]))
    return table


def _unmet(verdict: dict[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Condition]]]:
    """Letter and figure → its conditions by split, where one of them does not hold."""
    told = [one for one in verdict["conditions"] if one["letter"] in verdict["why"] and not _about_nothing(one)]
    for key, found in by_figure(told).items():
        if any(one["holds"] is not True for one in found.values()):
            yield key, found


def _about_nothing(one: Condition) -> bool:
    return one["value"] is None and parse_rule(one["condition"]).negated  # an empty bin


def _cell(one: Condition | None, evaluation: dict[str, Any]) -> Text:
    """`VAL 0.031`; of a rule about an interval, the interval. What holds is dim."""
    if one is None:
        return Text()
    rule, text = parse_rule(one["condition"]), NONE
    if one["value"] is not None:
        text = apart(one["value"], rule.threshold)
        _, figure = find_figure(one["letter"], one["figure"], one["split"], evaluation)
        if rule.interval and figure and figure["low"] is not None:
            text = f"{signed(figure['low'])} … {signed(figure['high'])}"
    place = "" if one["split"] == "both" else f"{one['split'].upper()} "
    return Text(f"{place}{text}", style="dim" if one["holds"] else "")


def _needs(found: dict[str, Condition], evaluation: dict[str, Any]) -> str:
    """What the conditions ask for, or what is wrong, in words."""
    texts = dict.fromkeys(one["condition"] for one in found.values())
    if CHEATS in texts:
        said = [_unbeaten(found, evaluation)]
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


def _unbeaten(found: dict[str, Condition], evaluation: dict[str, Any]) -> str:
    """`not above filter`, and what stands above on one split only: `not above filter; on OOD ridge`."""
    names: dict[str, list[str]] = {}
    for split, one in found.items():
        differences = paired(one["letter"], one["figure"], split, evaluation)
        names[split] = [c for c, held in differences.items() if held and held["low"] is not None and not beats(held)]
    common = [cheat for cheat in next(iter(names.values())) if all(cheat in unbeaten for unbeaten in names.values())]
    parts = [", ".join(common)] if common else []
    for split, unbeaten in names.items():
        if only := [cheat for cheat in unbeaten if cheat not in common]:
            parts.append(f"on {split.upper()} {', '.join(only)}")
    return f"not above {'; '.join(parts)}" if parts else ""
