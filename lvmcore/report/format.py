"""What figures and tests are called."""

from __future__ import annotations

TESTS = {"A": "offset sweep", "B": "retrieval", "C": "ablations", "D": "rollout", "E": "coherence bins"}
LABELS = {"r1": "R@1", "r5": "R@5", "mrr": "MRR"}
WORDS = {"margin_last": "margin over the last row"}


def figure_label(name: str) -> str:
    """A figure of a gate in words: `R@5 unseen` for unseen.r5, `s(+1)` for offsets.+1, `gain low` for low.gain."""
    first, _, rest = name.partition(".")
    if not rest:
        return WORDS.get(name, name.replace("_", " "))
    if first == "offsets":
        return f"s({rest})"
    label = LABELS.get(rest, rest)
    return label if first == "all" else f"{label} {first}"
