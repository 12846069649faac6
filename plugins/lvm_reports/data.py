"""The comparison for programs: CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import attrs

from lvmcore import Comparison, Row, component


@component
class Csv:
    """Comma-separated values, a line a row; an empty field was not measured."""

    def build(self) -> Callable[[Comparison], str]:
        def write(comparison: Comparison) -> str:
            text = io.StringIO()
            names = [field.name for field in attrs.fields(Row) if field.name != "measured_on"]
            writer = csv.DictWriter(text, [*names, "corpus_digest", "max_windows"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(_flat(row) for row in [*comparison.rows, *comparison.yardsticks])
            return text.getvalue().rstrip("\n")

        return write


def _flat(row: Row) -> dict[str, Any]:
    """A row without its one field that is a pair."""
    held = attrs.asdict(row)
    held["corpus_digest"], held["max_windows"] = held.pop("measured_on")
    return held


@component
class Json:
    """One JSON document: the rows and the yardsticks."""

    def build(self) -> Callable[[Comparison], str]:
        return lambda comparison: json.dumps({"schema": 1, **attrs.asdict(comparison)}, indent=1, ensure_ascii=False)
