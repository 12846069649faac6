"""Text from elsewhere made plain, so that it can be printed: nothing in it acts on a terminal."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and movements of the cursor
    "|(?:\x1b\\]|\x9d)[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\\\|\x9c)?"  # titles of windows, links
    "|\x1b[@-Z\\\\-~]"
)
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FURTHER = re.compile(r"\n(?!  )")
_SUSPECT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without what acts on a terminal: escape sequences, control characters, overrides of direction.

    Line ends of every kind become a newline, tabs stay, and half a surrogate pair, which no file can hold, becomes
    U+FFFD.
    """
    if not _SUSPECT.search(text):
        return text
    text = _LINE_END.sub("\n", _ESCAPE.sub("", text))
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def escaped(json: str) -> str:
    """JSON text in which all that acts on a terminal, or that no file can hold, stands as `\\u001b`: the same JSON."""
    return _SUSPECT.sub(lambda found: f"\\u{ord(found[0]):04x}", json)


def indented(text: str) -> str:
    """A message made plain, whose further lines begin with spaces: none of them stands as one that lvm begins."""
    return _FURTHER.sub("\n  ", clean(text))


def clean_title(text: str) -> str:
    """A title in one line, without what acts on a terminal."""
    return " ".join(clean(text).split())
