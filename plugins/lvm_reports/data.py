"""The comparison for programs: CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import attrs

from lvmcore import Comparison, Row, component

SPLIT = {"measured_on": ["corpus_digest", "max_windows"]}
"""Pairs of a row → the columns that hold them."""


@component
class Csv:
    """Comma-separated values, a line a row; an empty field was not measured."""

    def build(self) -> Callable[[Comparison], str]:
        def write(comparison: Comparison) -> str:
            text = io.StringIO()
            rows = [_flat(row) for row in [*comparison.rows, *comparison.yardsticks]]
            names = [name for field in attrs.fields(Row) for name in SPLIT.get(field.name, [field.name])]
            writer = csv.DictWriter(text, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            return text.getvalue().rstrip("\n")

        return write


def _flat(row: Row) -> dict[str, Any]:
    held = attrs.asdict(row)
    return held | {
        name: value for key, names in SPLIT.items() for name, value in zip(names, held.pop(key), strict=True)
    }


@component
class Json:
    """One JSON document: the rows and the yardsticks."""

    def build(self) -> Callable[[Comparison], str]:
        return lambda comparison: json.dumps({"schema": 1, **attrs.asdict(comparison)}, indent=1, ensure_ascii=False)
