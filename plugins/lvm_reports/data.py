"""The comparison for programs: CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import attrs

from lvmcore import Comparison, Row, component


@component
class Csv:
    """Comma-separated values, a line a row; an empty field was not measured."""

    def build(self) -> Callable[[Comparison], str]:
        def write(comparison: Comparison) -> str:
            text = io.StringIO()
            names = [field.name for field in attrs.fields(Row)]
            writer = csv.DictWriter(text, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(attrs.asdict(row) for row in [*comparison.rows, *comparison.yardsticks])
            return text.getvalue().rstrip("\n")

        return write


@component
class Json:
    """One JSON document: the rows and the yardsticks."""

    def build(self) -> Callable[[Comparison], str]:
        return lambda comparison: json.dumps({"schema": 1, **attrs.asdict(comparison)}, indent=1, ensure_ascii=False)
