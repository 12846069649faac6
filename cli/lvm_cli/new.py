"""lvm new: begin a plugin package that installs, passes its tests and is published as it stands."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import attrs
import click

from lvm_cli.console import console
from lvm_cli.options import open_registry
from lvmcore.errors import LvmError
from lvmcore.registry import KINDS

TEMPLATES = Path(__file__).parent / "templates"

TRY = {
    "architecture": "lvm run --arch {name} --size toy --epochs 2",
    "loss": "lvm run --loss mse+{name}:0.1 --size toy --epochs 2",
    "input": "lvm run --inputs {name} --size toy --epochs 2",
    "sampler": "lvm run --sampler {name} --size toy --epochs 2",
    "schedule": "lvm run --schedule {name} --size toy --epochs 2",
    "corpus": "lvm run --data {name} --size toy --epochs 2",
    "predictor": "lvm eval {name}",
    "check": "lvm eval copy-last --json",
    "report": "lvm compare --format {name}",
}
"""The command that uses a component of each kind."""


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


@attrs.frozen
class Part:
    """One component to begin with."""

    kind: str
    name: str

    @property
    def module(self) -> str:
        return re.sub(r"\W", "_", self.name).lower()

    @property
    def cls(self) -> str:
        return "".join(word[:1].upper() + word[1:] for word in re.split(r"[\W_]+", self.name))


@attrs.frozen
class Package:
    """What is to be written: the names, and the components."""

    dist: str
    parts: tuple[Part, ...]

    @property
    def package(self) -> str:
        return self.dist.replace("-", "_")

    @property
    def entry(self) -> str:
        """The plugin's name: the distribution's without its prefix."""
        return re.sub(r"^lvm-(plugin-)?(?=.)", "", self.dist)

    def files(self) -> Iterator[tuple[str, str]]:
        """Each file's path and text."""
        kinds = " and ".join(f"{_article(part.kind)} {part.kind} ({part.name})" for part in self.parts)
        common = {
            "dist": self.dist,
            "package": self.package,
            "entry": self.entry,
            "core": ".".join(version("lvmcore").split(".")[:2]),
            "year": str(date.today().year),
            "description": kinds[:1].upper() + kinds[1:],
            "try_it": "\n".join(f"$ {TRY[part.kind].format(name=part.name)}" for part in self.parts),
            "table": "\n".join(
                f"| {part.kind} `{part.name}` | `{self.package}/{part.module}.py` |" for part in self.parts
            ),
        }
        for file in sorted((TEMPLATES / "plugin").rglob("*.template")):
            path = file.relative_to(TEMPLATES / "plugin").with_suffix("")
            yield str(path), Template(file.read_text("utf-8")).substitute(common)
        yield f"{self.package}/__init__.py", self._hooks()
        for part in self.parts:
            names = {**common, **attrs.asdict(part), "module": part.module, "cls": part.cls, "title": part.name}
            for what, path in (
                ("py", f"{self.package}/{part.module}.py"),
                ("test", f"tests/test_{part.module}.py"),
            ):
                source = (TEMPLATES / "components" / f"{part.kind}.{what}.template").read_text("utf-8")
                yield path, Template(source).substitute(names)

    def _hooks(self) -> str:
        """The module that the entry point names."""
        text = f'"""The hooks of {self.dist}."""\n\nfrom lvmcore import hookimpl\n'
        for part in self.parts:
            text += (
                f"\n\n@hookimpl\ndef {KINDS[part.kind].hook}():\n"
                f"    from {self.package}.{part.module} import {part.cls}\n\n"
                f'    return [("{part.name}", {part.cls})]\n'
            )
        return text


def kind_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--loss NAME and its like, one a kind."""
    for kind in reversed(KINDS):
        help_ = f"Begin with {_article(kind)} {kind} of this name."
        command = click.option(f"--{kind}", f"name_of_{kind}", metavar="NAME", help=help_)(command)
    return command


@click.group("new")
def command() -> None:
    """Begin something of one's own."""


@command.command("plugin")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@kind_options
def plugin(folder: Path, **names: str | None) -> None:
    """Write a plugin package: components, hooks, tests, README, licence, CI; without a kind, with a loss.

    \b
    lvm new plugin lvm-mine --loss mine
    """
    dist = distribution(folder)
    given = [Part(kind, name) for kind in KINDS if (name := names[f"name_of_{kind}"])]
    package = Package(dist, tuple(given) or (Part("loss", re.sub(r"^lvm-(plugin-)?(?=.)", "", dist)),))
    _check(package)
    written = write(folder, package)
    out = console()
    for path in written:
        out.print(str(path), markup=False)
    out.print(f"\npip install -e '{folder}[test]' && cd {folder} && pytest", markup=False)


def distribution(folder: Path) -> str:
    """The name of the distribution that a folder is for; it begins with lvm.

    Raises:
        LvmError: the folder's name cannot be that of a package.
    """
    name = re.sub(r"[-_.]+", "-", folder.resolve().name).lower()
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name):
        raise LvmError(
            f"'{folder.resolve().name}' is no name for a package",
            where=str(folder),
            expected="letters, digits and -, such as lvm-mine",
        )
    return name if name.startswith("lvm") else f"lvm-{name}"


def write(folder: Path, package: Package) -> list[Path]:
    """Write every file of a package, or none.

    Raises:
        LvmError: a file is there already.
    """
    files = {folder / path: text for path, text in package.files()}
    if there := [str(path) for path in files if path.exists()]:
        raise LvmError(
            f"nothing was written: there is already {', '.join(there)}", where=str(folder), expected="a new folder"
        )
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as problem:
            raise LvmError(f"a file cannot be written: {problem.strerror}", where=str(path)) from None
    return list(files)


def _check(package: Package) -> None:
    """Names that can be a module, are not taken, and differ."""
    registry = open_registry()
    modules: dict[str, Part] = {}
    for part in package.parts:
        where = f"--{part.kind} {part.name}"
        if not re.fullmatch(r"[A-Za-z][\w-]*", part.name) or keyword.iskeyword(part.module):
            raise LvmError(f"'{part.name}' is no name for a module", where=where, expected="letters, digits, - and _")
        owners = [found.plugin.dist for found in registry.all(part.kind) if found.name == part.name]
        if owners and package.dist not in owners:
            raise LvmError(
                f"{owners[0]} gives {_article(part.kind)} {part.kind} '{part.name}' already",
                where=where,
                fix=f"another name; lvm list {KINDS[part.kind].plural} shows those that are taken",
            )
        if part.module in modules:
            raise LvmError(f"two components are named '{part.name}'", where=where, expected="one file a component")
        modules[part.module] = part
