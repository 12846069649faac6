"""How to evaluate."""

from __future__ import annotations

import attrs

from lvmcore.evaluation.protocols import DEFAULT

BATCH = 512
"""Windows at a time."""


@attrs.frozen(kw_only=True)
class Settings:
    """What is measured, on which windows, and by which gates it is judged."""

    protocol: str = DEFAULT
    """An expression, such as `5cat,resamples=2000`."""
    checks: str = ""
    """An expression: checks of plugins with options of their own."""
    splits: tuple[str, ...] = ("val", "ood")
    profile: str = "table"
    context: int = 5
    max_windows: int | None = None
    batch_size: int = BATCH
    yardsticks: bool = True
    keep_yardsticks: bool = True
    """Take their figures from an earlier evaluation, and keep them for a later one."""
