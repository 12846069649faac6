"""What the older tools called the tensors of the same architectures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor


def renamed(
    weights: Mapping[str, Tensor], names: Mapping[str, str], unused: Iterable[str] = ()
) -> dict[str, Tensor] | None:
    """The tensors under our names; None where one is called otherwise, or none is called as it should.

    Args:
        names: the beginning of an older name, a regular expression, → of ours.
        unused: tensors that follow from the options and are not kept.
    """
    found: dict[str, Tensor] = {}
    seen = set()
    for name, tensor in weights.items():
        if name in unused:
            continue
        old = next((old for old in names if re.match(old, name)), None)
        if old is None:
            return None
        seen.add(old)
        found[re.sub(f"^{old}", names[old], name)] = tensor
    return found if seen == set(names) else None


def layers_in(weights: Mapping[str, Tensor], prefix: str) -> int:
    """How many layers there are: different numbers that follow `prefix`; no more than there are tensors."""
    numbers = (re.match(rf"{prefix}(\d+)", name) for name in weights)
    return len({int(found[1]) for found in numbers if found})
