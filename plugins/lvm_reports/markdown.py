"""The comparison as a Markdown table."""

from __future__ import annotations

from collections.abc import Callable

from lvmcore import Comparison, Row, component

HEADS = ["#", "Model", "Date", "Size", "Approach", "Val Cos", "Margin (VAL)", "R@1", "R@5", "Gates", "Status"]


@component
class Markdown:
    """A Markdown table; the best value of each column is bold."""

    def build(self) -> Callable[[Comparison], str]:
        return write


def write(comparison: Comparison) -> str:
    several = len(comparison.corpora) > 1
    heads = [*HEADS, *(["Corpus"] if several else [])]
    lines = [heads, ["---"] * len(heads)]
    for row in [*comparison.rows, *comparison.yardsticks]:
        lines.append(
            [
                "" if row.number is None else str(row.number),
                row.model,
                row.date,
                row.size_text,
                row.approach,
                *(_marked(comparison, row, column) for column in ("val_cos", "margin", "r1", "r5", "passed")),
                row.status,
                *([row.corpus] if several else []),
            ]
        )
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _marked(comparison: Comparison, row: Row, column: str) -> str:
    text = row.text(column)
    return f"**{text}**" if comparison.is_best(row, column) else text
