"""Pages whose elements stand within each other without end: a parser takes the square of the depth in time."""

from __future__ import annotations

import re
from collections import Counter

from lvmcore import LvmError

DEEPEST = 5000

_EMPTY = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_CLOSED_BY_OTHERS = "a|p|li|dt|dd|tr|td|th|thead|tbody|tfoot|option|optgroup|html|head|body"
_SELF_CLOSED = re.compile(rf"<(?!(?:{_EMPTY})\b)([a-z][\w:-]*)([^<>]*)/>", re.IGNORECASE)
_NESTING = re.compile(rf"<(/?)(?!(?:{_EMPTY}|{_CLOSED_BY_OTHERS})\b)([a-z][a-z0-9]*)", re.IGNORECASE)


def shallow(page: str, where: str) -> str:
    """The page, with `<div/>` as `<div></div>`, which is what XHTML and SVG mean and a parser of HTML doesn't.

    Raises:
        LvmError: elements stand open within each other, more than any page of people's has.
    """
    page = _SELF_CLOSED.sub(r"<\1\2></\1>", page)
    opened: Counter[str] = Counter()
    depth = 0
    for closing, tag in _NESTING.findall(page):
        name = tag.lower()
        if not closing:
            opened[name] += 1
            depth += 1
        elif opened[name]:
            opened[name] -= 1
            depth -= 1
        if depth > DEEPEST:
            raise LvmError(
                f"more than {DEEPEST:,} elements stand open within each other",
                where=where,
                expected="a page as people write them",
                fix="leave the file out",
            )
    return page
