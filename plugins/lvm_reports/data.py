"""The comparison for programs: CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from lvmcore import Comparison, component, tables, to_json


@component
class Csv:
    """Comma-separated values, a line a row; an empty field was not measured."""

    def build(self) -> Callable[[Comparison], str]:
        def write(comparison: Comparison) -> str:
            return tables.csv_table([row.record() for row in (*comparison.rows, *comparison.yardsticks)])

        return write


@component
class Json:
    """One JSON document: the rows and the yardsticks."""

    def build(self) -> Callable[[Comparison], str]:
        def write(comparison: Comparison) -> str:
            document = {
                "schema": 1,
                "rows": [row.record() for row in comparison.rows],
                "yardsticks": [row.record() for row in comparison.yardsticks],
                "details": [attrs.asdict(one) for one in comparison.details],
            }
            return to_json(document)

        return write
