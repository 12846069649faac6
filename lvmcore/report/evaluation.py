"""An evaluation as tables: the tests with their gates, and the yardsticks beside the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lvmcore.evaluation.figures import Count, Declared
from lvmcore.evaluation.reasons import reasons
from lvmcore.registry import Registry
from lvmcore.report.columns import checks_in, declared_in
from lvmcore.report.tables import Fitting, add_columns, estimate, new_table, note, one_line

OUTCOMES = {True: ("pass", "green"), False: ("fail", "red"), None: ("not measurable", "yellow")}

Row = tuple[str, Text, Callable[[str], Text]]
"""The letter of a test, what the row is called, and its cell of a split."""


class EvaluationTables:
    """The tables of one evaluation document."""

    def __init__(self, evaluation: Mapping[str, Any], registry: Registry) -> None:
        self.evaluation = evaluation
        self.declared = declared_in(evaluation, registry)
        self.checks = checks_in(evaluation, registry)
        self.titles = {check.letter: check.title for check in self.checks}
        self.splits: list[str] = list(evaluation["splits"])
        self.profiles = profiles_of(evaluation)

    def all(self) -> Group:
        """Everything that is told of an evaluation."""
        beside = [self.beside()] if self.evaluation.get("yardsticks") else []
        return Group(self.tests(), self.windows(), *beside, self.unmet())

    def tests(self) -> Fitting:
        """The tests: figures with their intervals on each split, and each letter's gate.

        The verdicts stand in columns of their own, else beside the tests' names; a narrow terminal has no intervals.
        """
        return Fitting([self._gates_beside(), self._gates_above(True), self._gates_above(False)])

    def windows(self) -> Text:
        """What the figures are means over, a line a split."""
        lines = []
        for split in self.splits:
            table = self.evaluation["splits"][split]
            said = [f"{table['windows']:,} windows of {table['articles']:,} articles"]
            for check in self.checks:
                for count in check.counts:
                    number = _count(table, check.letter, count) if count.label else None
                    said += [f"{number:,} {count.label}"] if number is not None else []
            lines.append(f"{split.upper():>4}  {', '.join(said)}")
        return Text("\n".join(lines) + "\n", style="dim")

    def beside(self) -> Fitting:
        """The model and the yardsticks on the first split; a narrow terminal does without the last of the headlines."""
        shown = [one for one in self.declared.values() if one.figure.headline]
        goes = sorted(shown, key=lambda one: -one.figure.headline)
        return Fitting(
            self._beside([one for one in shown if one not in goes[:count]]) for count in range(len(goes) // 2 + 1)
        )

    def unmet(self) -> Group:
        """What to be careful about, and the conditions that were not met."""
        parts: list[RenderableType] = [note(warning) for warning in self.evaluation.get("warnings", [])]
        for verdict in self.profiles:
            if verdict["why"]:
                parts += [
                    Text(one_line(f"not met of '{verdict['profile']}'"), style="bold"),
                    self._unmet(verdict),
                    Text(),
                ]
        return Group(*parts)

    def _unmet(self, verdict: Mapping[str, Any]) -> Table:
        """A line a figure: what was measured, what of it holds being dim, and what is asked for."""
        table = Table.grid(padding=(0, 2))
        for _ in range(2 + len(self.splits)):
            table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        told = set()
        for one in reasons(verdict["conditions"], self.evaluation, self.declared):
            told.add(one.letter)
            cells = {s: Text(text, style="dim" if s in one.held else "") for s, text in one.cells.items()}
            cells.setdefault(self.splits[0], cells.get("both", Text()))
            shown = (cells.get(split, Text()) for split in self.splits)
            table.add_row(Text(f" {one.letter}"), Text(one.label), *shown, Text(one.needs))
        for letter in verdict["why"].keys() - told:  # nothing in it could be measured
            table.add_row(Text(f" {letter}"), *[Text()] * (1 + len(self.splits)), Text(verdict["why"][letter]))
        return table

    def _gates_beside(self) -> Table:
        table = new_table(self._title())
        add_columns(table, "test", "figure", *(f"{split.upper()}  95 %" for split in self.splits))
        add_columns(table, *(profile["profile"] for profile in self.profiles))
        previous = ""
        for letter, label, cell in self._rows(intervals=True):
            first = letter != previous
            previous = letter
            table.add_row(
                Text(f"{letter}  {self.titles.get(letter, '')}" if first else ""),
                label,
                *map(cell, self.splits),
                *(_verdict(profile, letter) for profile in self.profiles if first),
            )
        return table

    def _gates_above(self, intervals: bool) -> Table:
        table = new_table(self._title())
        add_columns(table, "", *(f"{split.upper()}  95 %" if intervals else split.upper() for split in self.splits))
        previous = ""
        for letter, label, cell in self._rows(intervals):
            if letter != previous:
                verdicts = [
                    Text.assemble(_verdict(one, letter), (f" {one['profile']}", "dim")) for one in self.profiles
                ]
                if len(self.splits) < len(verdicts):
                    verdicts = [Text(", ").join(verdicts)]
                table.add_row(Text(f"{letter}  {self.titles.get(letter, '')}", style="bold"), *verdicts)
            previous = letter
            table.add_row(Text.assemble("   " if letter else "", label), *map(cell, self.splits))
        return table

    def _title(self) -> str:
        passed = ", ".join(f"{one['passed']}/{one['of']} of '{one['profile']}'" for one in self.profiles)
        return f"{self.evaluation['protocol']} on {self.evaluation['corpus']['name']}: {passed}"

    def _rows(self, intervals: bool) -> Iterator[Row]:
        """Every figure that was measured anywhere; those that explain others stand in one faint row."""
        asides: dict[tuple[str, str], list[Declared]] = {}
        for one in self.declared.values():
            if one.figure.aside:
                asides.setdefault((one.letter, one.figure.aside), []).append(one)
        told: set[tuple[str, str]] = set()
        letter = ""
        for one in self.declared.values():
            if letter not in ("", one.letter):
                yield from self._counted(letter)
            letter = one.letter
            if one.figure.hidden or not any(one.value(self.evaluation, split) is not None for split in self.splits):
                continue
            key = (one.letter, one.figure.aside)
            if not one.figure.aside:
                place = "" if one.figure.place else one.letter  # what stands at the top is no test's alone
                yield place, Text(one.figure.label), lambda split, one=one: self._cell(one, split, intervals)
            elif key not in told:
                told.add(key)
                held = [aside for aside in asides[key] if not aside.figure.hidden]
                yield one.letter, Text(one.figure.aside, style="dim"), lambda split, held=held: self._faint(held, split)
        yield from self._counted(letter)

    def _counted(self, letter: str) -> Iterator[Row]:
        """The counts of a test that stand in a row."""
        check = next((check for check in self.checks if check.letter == letter), None)
        rows: dict[str, list[Count]] = {}
        for count in check.counts if check else ():
            if count.aside:
                rows.setdefault(count.aside, []).append(count)
        for aside, counts in rows.items():

            def cell(split: str, counts: list[Count] = counts) -> Text:
                numbers = [_count(self.evaluation["splits"][split], letter, count) for count in counts]
                first, *others = (f"{number or 0:,}" for number in numbers)
                return Text("  ".join([f"{first:>7}", *others]), style="dim")

            yield letter, Text(aside, style="dim"), cell

    def _cell(self, one: Declared, split: str, intervals: bool) -> Text:
        if one.figure.aggregate == "spread" and split != self.splits[0]:
            return Text()
        found = one.find(self.evaluation, split)
        return estimate(found, one.figure.text, intervals)

    def _faint(self, held: list[Declared], split: str) -> Text:
        digits = 2 if len(held) > 2 else 3
        first, *others = (one.figure.text(one.value(self.evaluation, split), digits) for one in held)
        return Text(
            "  ".join([f"{first:>7}", *others]) if len(held) < 4 else f"{first:>6} {' '.join(others)}", style="dim"
        )

    def _beside(self, shown: list[Declared]) -> Table:
        split = self.splits[0]
        keys = ["gates", "causal"][: len(self.profiles)]
        table = new_table(f"beside it, on {split.upper()}")
        add_columns(table, "")
        add_columns(
            table, *(one.figure.label for one in shown), *(self.evaluation[k]["profile"] for k in keys), right=True
        )
        for name, document in [("this model", self.evaluation), *self.evaluation["yardsticks"].items()]:
            cells = [one.figure.text(one.value(document, split)) for one in shown]
            verdicts = [f"{document[key]['passed']}/{document[key]['of']}" for key in keys]
            style = "bold" if document is self.evaluation else "dim"
            table.add_row(*map(Text, [name, *cells, *verdicts]), style=style)
        return table


def profiles_of(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The verdict of the profile that was asked for and, beside another, that of `causal`."""
    gates, causal = evaluation["gates"], evaluation.get("causal")
    return [gates] if causal is None or gates["profile"] == "causal" else [gates, causal]


def _count(table: Mapping[str, Any], letter: str, count: Count) -> int | None:
    node: Any = table.get(letter)
    for part in count.name.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _verdict(gates: dict[str, Any], letter: str) -> Text:
    if not letter:
        return Text()
    return Text(*OUTCOMES[gates[letter]]) if letter in gates else Text("no gate", style="dim")
