"""The comparison as a document in Markdown, in the form of that of 2025-11-02."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lvmcore import Column, Comparison, Details, Row, component, tables

MARKS = {True: "✅ pass", False: "❌ fail", None: "– not measurable"}


@component
class Markdown:
    """A document: the table, its best values bold, a section for each run, timeline, sizes, and what is deployed."""

    def build(self) -> Callable[[Comparison], str]:
        return write


def write(comparison: Comparison) -> str:
    parts = ["# Model comparison", *_span(comparison.details), *_overview(comparison)]
    for details in comparison.details:
        parts += _section(details)
    if comparison.details:
        parts += ["## Timeline", "\n".join(_timeline(comparison.details))]
        parts += ["## Sizes", _table(*_sizes(comparison.details))]
        parts += ["## Deployed", "\n".join(_deployed(comparison.details))]
    return "\n\n".join(parts)


def _span(details: Sequence[Details]) -> Iterator[str]:
    if details:
        first, last = (one.started[:10] for one in (details[-1], details[0]))
        yield f"**Runs**: {len(details)}, {first if first == last else f'{first} to {last}'}"


def _overview(comparison: Comparison) -> Iterator[str]:
    several = len(comparison.corpora) > 1
    figures = [column.head[:1].upper() + column.head[1:] for column in comparison.columns]
    heads = ["#", "Model", "Date", "Parameters", "Size", "Approach", *figures, "Gates", "Status"]
    heads += ["Corpus"] if several else []
    rows = [_cells(comparison, row, several) for row in [*comparison.rows, *comparison.yardsticks]]
    yield _table(heads, rows)
    yield (
        "Figures are those of VAL. Size is that of a training checkpoint: weights and two moments in float32. "
        "Bold is the best of its column "
        "among runs on one corpus, by one protocol; what was reported, and what a yardstick gets, is not ranked."
    )


def _cells(comparison: Comparison, row: Row, several: bool) -> list[str]:
    figures = [_marked(comparison, row, column) for column in (*comparison.columns, None)]
    number = "" if row.number is None else str(row.number)
    about = [number, row.model_text, row.date, row.parameters_text, row.size_text, row.approach]
    return [*about, *figures, row.outcome, *([row.corpus] if several else [])]


def _marked(comparison: Comparison, row: Row, column: Column | None) -> str:
    text = comparison.text(row, column)
    return f"**{text}**" if comparison.is_best(row, column) else text


def _section(details: Details) -> Iterator[str]:
    """One run: how it was made, its figures beside their targets, and when things happened."""
    yield f"## {details.number}. {tables.one_line(details.model)}"
    took = f", {details.seconds:,.0f} s" if details.seconds is not None else ""
    lines = [f"**Run**: `{details.run}`", f"**Started**: {details.started[:16].replace('T', ' ')}{took}"]
    lines += [f"**Status**: {tables.one_line(details.status)}"]
    if details.parameters:
        lines.append(f"**Parameters**: {details.parameters:,}")
    yield "\\\n".join(lines)
    yield "\n".join(f"- {label}: `{tables.one_line(text)}`" for label, text in details.settings.items() if text)
    if details.targets:
        windows = ", ".join(f"{count:,} windows of {split.upper()}" for split, count in details.measured.items())
        yield f"**5CAT** with 95 % intervals{f', on {windows}' if windows else ''}; gates passed: {details.gates}"
        yield _table(["Test", "Figure", "VAL", "OOD", "Target", "Status"], _targets(details))
    if details.published:
        yield f"**Published**, by `{details.published_protocol}`, beside this run by the same where it was measured"
        heads = ["Figure", "VAL", "OOD", "published VAL", "published OOD"]
        yield _table(heads, ([one.label, *one.texts] for one in details.published))
    if why := _why(details):
        yield "\n".join(why)
    if details.events:
        yield "\n".join(f"- epoch {epoch}: {tables.one_line(what)}" for epoch, what in details.events)


def _why(details: Details) -> list[str]:
    """Why letters did not pass, where the table does not say it: intervals, and what can't be measured."""
    told = {one.letter for one in details.targets if one.holds is None or one.wanted[0] not in "<>"}
    return [f"- {letter}: {tables.one_line(text)}" for letter, text in details.why.items() if letter in told]


def _targets(details: Details) -> Iterator[list[str]]:
    previous = ""
    for one in details.targets:
        test = f"{one.letter}: {one.test}" if one.letter != previous else ""
        previous = one.letter
        yield [test.rstrip(": "), one.label, one.val_text, one.ood_text, one.wanted, MARKS[one.holds]]


def _timeline(details: Sequence[Details]) -> Iterator[str]:
    """A day a paragraph, the oldest run first."""
    day = ""
    for one in sorted(details, key=lambda one: one.number):
        date, _, time = one.started.partition("T")
        if date != day:
            yield f"{'' if not day else chr(10)}**{date}**\n"
            day = date
        yield f"- {time[:5]} {tables.one_line(one.model)} ({one.number}): {tables.one_line(one.status)}"


def _sizes(details: Iterable[Details]) -> tuple[list[str], list[list[str]]]:
    """What each model weighs, the largest first; the file of its weights where it is still there."""
    held = sorted((one for one in details if one.parameters), key=lambda one: (-(one.parameters or 0), one.number))
    rows = [
        [
            one.model,
            f"{one.parameters:,}",
            f"{(one.checkpoint or 0) / 2**20:.1f} MiB",
            "–" if one.weights is None else f"{one.weights / 2**20:.1f} MiB",
            f"`{one.run}`",
        ]
        for one in held
    ]
    return ["Model", "Parameters", "Training checkpoint", "Weights on disk", "Run"], rows


def _deployed(details: Iterable[Details]) -> list[str]:
    """A line a server that runs now."""
    served = [f"- {one.model} ({one.number}, `{one.run}`): {url}" for one in details for url in one.served_at]
    return served or ["No run is served at present; `lvm serve RUN` serves one."]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(map(tables.markdown_row, [heads, ["---"] * len(heads), *rows]))
