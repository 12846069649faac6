"""Wheels of small plugins, built by hand, and folders that they are installed in."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import attrs

LOSS = """
from lvmcore import component, hookimpl, option

@component
class {cls}:
    "The mean of the prediction, shifted."
    shift: float = option(default=1.0, help="how far"{validator})
    def build(self):
        return lambda step: step.raw.mean() + self.shift

@hookimpl
def lvm_losses():
    return [{pairs}]
"""


def loss(*names: str, cls: str = "Shifted", validator: str = "") -> str:
    """The source of a plugin that gives one loss under some names."""
    pairs = ", ".join(f"({name!r}, {cls})" for name in names)
    return LOSS.format(cls=cls, pairs=pairs, validator=validator and f", validator={validator}")


@attrs.frozen
class Wheel:
    """A distribution of one module."""

    dist: str
    source: str
    entry: str = ""
    points_to: str = ""
    version: str = "1.2"
    requires: tuple[str, ...] = ("lvmcore",)

    @property
    def module(self) -> str:
        return f"module_of_{self.dist.replace('-', '_')}"

    @property
    def files(self) -> dict[str, str]:
        info = f"{self.dist.replace('-', '_')}-{self.version}.dist-info"
        metadata = [f"Metadata-Version: 2.1\nName: {self.dist}\nVersion: {self.version}"]
        metadata += [f"Requires-Dist: {name}" for name in self.requires]
        files = {
            f"{self.module}.py": self.source,
            f"{info}/METADATA": "\n".join(metadata) + "\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[lvm]\n{self.entry or self.dist} = {self.points_to or self.module}\n",
        }
        lines = [f"{name},{_digest(text)},{len(text.encode())}" for name, text in files.items()]
        return {**files, f"{info}/RECORD": "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"}

    def build(self, folder: Path) -> Path:
        """Write the wheel."""
        path = folder / f"{self.dist.replace('-', '_')}-{self.version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in self.files.items():
                archive.writestr(name, text)
        return path

    def install(self, site: Path) -> None:
        """Unpack it into a folder of the import path, which is what an installer does with a pure wheel."""
        with zipfile.ZipFile(self.build(site)) as archive:
            archive.extractall(site)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
