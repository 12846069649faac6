"""How to evaluate."""

from __future__ import annotations

import attrs

BATCH = 512
"""Windows at a time."""


@attrs.frozen(kw_only=True)
class Settings:
    """What is measured, on which windows, and by which gates it is judged."""

    protocol: str = "5cat"
    splits: tuple[str, ...] = ("val", "ood")
    profile: str = "table"
    context: int = 5
    max_windows: int | None = None
    batch_size: int = BATCH
    seed: int = 0
    yardsticks: bool = True
    keep_yardsticks: bool = True
    """Take their figures from an earlier evaluation, and keep them for a later one."""
