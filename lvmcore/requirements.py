"""Does an installed distribution's metadata ask for another version of the core than this one?

pip asks that when it installs; it is not asked after `--no-deps`, nor when the core alone is changed later. Release
numbers are all that is compared, which is what plugins write: `lvmcore>=0.2,<1`.
"""

from __future__ import annotations

import operator
import re
from importlib.metadata import Distribution, version

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(\[[^]]*\])?\s*\(?(?P<rules>[^;)]*)\)?\s*(?P<marker>;.*)?")
_RULE = re.compile(r"(?P<sign>===|==|~=|!=|<=|>=|<|>)\s*(?P<number>[\w.*+!-]+)")
_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def unmet(dist: Distribution, core: str) -> str:
    """What a distribution needs of the core and does not find, or nothing."""
    own = version(core)
    for requirement in dist.requires or ():
        found = _REQUIREMENT.fullmatch(requirement.strip())
        # a requirement with a marker holds for an extra, or for some machines: that is pip's business
        if found and found["name"].lower() == core and not found["marker"]:
            for rule in _RULE.finditer(found["rules"]):
                if not _holds(own, rule["sign"], rule["number"]):
                    rules = found["rules"].strip().strip("()")
                    return f"it needs {core}{rules}, this is {core} {own}; pip install '{core}{rules}'"
    return ""


def _holds(own: str, sign: str, number: str) -> bool:
    have, want = _release(own), _release(number)
    length = len(want)
    have, want = _padded(have, want), _padded(want, have)
    if sign == "~=":
        return have >= want and have[: length - 1] == want[: length - 1]
    if sign in ("==", "===", "!="):
        same = have[:length] == want[:length] if number.endswith(".*") else have == want
        return same is (sign != "!=")
    return _COMPARE[sign](have, want)


def _release(number: str) -> tuple[int, ...]:
    """0.2.0rc1 → (0, 2, 0): the leading numbers."""
    return tuple(int(part) for part in re.match(r"\d+(\.\d+)*", number)[0].split(".")) if number[:1].isdigit() else ()  # pyright: ignore


def _padded(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return one + (0,) * max(0, len(other) - len(one))
