"""One run on a page: what it is, how it was made, what it reached, and when things happened."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lvmcore.errors import LvmError
from lvmcore.plain import clean_title
from lvmcore.registry import Registry
from lvmcore.report.columns import declared_in
from lvmcore.report.comparison import Row, compare
from lvmcore.report.details import Details, reached
from lvmcore.report.evaluation import profiles_of
from lvmcore.report.tables import add_columns, duration, new_table
from lvmcore.runs.run import Run

EVENTS = 10
"""Lines of the epochs' course at most."""

LABEL = 10
"""Columns of what a line is about."""

Facts = Iterator[tuple[str, str]]
"""What each line is about, and what it says."""


def page(run: Run, registry: Registry) -> Group:
    """A run as a person wants to see it first, in less than forty lines. Its command is `command`'s.

    Raises:
        LvmError: its files hold something else than they should.
    """
    found = compare([run], registry)
    if not found.details:
        raise LvmError(found.rows[0].status, where=str(run.path), fix=f"lvm show {run.path / 'run.json'}")
    row, told = found.rows[0], found.details[0]
    figures = _figures(run, registry) if run.document_by() else None  # a table has room above and below of its own
    blocks = (
        (_head(run, row), None),
        (_making(run, told), None),
        (_evaluation(run), figures),
        (_course(run, told), None),
    )
    shown = [(lines, below) for facts, below in blocks if (lines := _lines(facts)).row_count]
    return Group(*(part for lines, below in shown for part in (lines, below or Text())))


def command(run: Run) -> Text:
    """The command that makes the run again, to be printed on one line, so that it can be copied."""
    return Text.assemble(
        (f"{'command':>{LABEL}}", "bold"), "  ", shlex.join(map(clean_title, run.record.get("command", ())))
    )


def _lines(facts: Facts) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True, style="bold", min_width=LABEL)
    table.add_column(overflow="fold")
    for about, said in facts:
        table.add_row(Text(about), Text(said))
    return table


def _head(run: Run, row: Row) -> Facts:
    record = run.record
    name = record["name"]
    tags = f"   tagged {', '.join(record['tags'])}" if record.get("tags") else ""
    yield "run", f"#{row.number}  {name if row.model == name else f'{row.model} ({name})'}{tags}"
    yield "folder", str(run.path)
    yield "status", row.status
    for warning in record.get("warnings", ()):
        yield "warning", warning
    if run.status in ("interrupted", "failed") and run.state_file.is_file():
        yield "resume", f"lvm run --resume {run.path}"
    seconds, machine = record.get("seconds"), record.get("machine") or {}
    took = "" if seconds is None else f", {duration(seconds)}"
    yield "began", f"{row.date} UTC{took}" + (f" on {machine['processor']}" if machine.get("processor") else "")
    for resumed in record.get("resumed", ()):
        step = f"step {resumed['step']} of " if resumed["step"] else ""
        yield "resumed", f"{resumed['at'][:16].replace('T', ' ')} UTC, after {step}epoch {resumed['epoch']}"


def _making(run: Run, told: Details) -> Facts:
    """How it was made; of a run that ended before it was settled, nothing."""
    variant, made = run.record.get("variant"), told.settings
    if not variant:
        return
    if variant.get("approach"):
        yield "approach", variant["approach"]
    yield "model", f"{told.parameters or 0:,} parameters   {made['architecture']}"
    if init := run.record.get("init"):
        yield "begins as", init["run"] or init["file"]
    yield "objective", f"{made['loss']}   inputs {made['inputs']}   sampler {made['sampler']}"
    for about, said in made.items():
        stage, _, name = about.partition(" ")
        if stage == "stage":
            yield stage, f"{name}   {said}"
    yield "corpus", made["data"]
    yield "training", f"{made['training']}, {made['made with']}"


def _figures(run: Run, registry: Registry) -> Table:
    """The headlines of its evaluation with their intervals."""
    evaluation = run.document_by() or {}
    splits = list(evaluation["splits"])
    table = new_table()
    add_columns(table, "", *(f"{split.upper()}  95 %" for split in splits))
    for one in declared_in(evaluation, registry).values():
        held = [one.find(evaluation, split) for split in splits]
        if one.figure.headline and any(found and found["value"] is not None for found in held):
            table.add_row(Text(one.figure.label), *(Text(one.figure.interval(found)) for found in held))
    return table


def _evaluation(run: Run) -> Facts:
    """How many gates it passed, and which."""
    evaluation = run.document_by()
    if not evaluation:
        if run.model_file.is_file():
            yield "evaluation", f"none yet; lvm eval {run.path} --save makes one"
        return
    yield "gates", ", ".join(map(_passed, profiles_of(evaluation)))
    if others := [name for name in run.protocols if name != evaluation["protocol"]]:
        yield "also by", ", ".join(others)


def _passed(verdict: Mapping[str, Any]) -> str:
    letters = " ".join(letter for letter, outcome in verdict.items() if len(letter) == 1 and outcome is True)
    return f"{verdict['passed']}/{verdict['of']} of '{verdict['profile']}'" + (f" ({letters})" if letters else "")


def _course(run: Run, told: Details) -> Facts:
    """What happened in the epochs, and what the first, the best and the last reached."""
    if not (epochs := run.epochs):
        return
    best = (run.record.get("best") or {}).get("epoch")
    ends = {one["epoch"]: reached(one) for one in (epochs[0], epochs[-1])}
    said: dict[int, list[str]] = {number: [] if number == best else [text] for number, text in ends.items()}
    for number, text in told.events:
        said.setdefault(number, []).append(text)
    kept = sorted(sorted(said, key=lambda number: (number not in (*ends, best), number))[:EVENTS])
    for number in kept:
        yield f"epoch {number}", "; ".join(said[number])
    if len(kept) < len(said):
        yield "", f"events of {len(said) - len(kept)} more epochs are in epochs.jsonl"
