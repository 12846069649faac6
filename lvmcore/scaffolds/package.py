"""A plugin package that installs, passes its tests and is published as it stands."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Self

import attrs

from lvmcore.errors import LvmError
from lvmcore.files import write_whole
from lvmcore.hookspecs import KINDS, Kind
from lvmcore.registry import Registry

TEMPLATES = Path(str(files("lvmcore.scaffolds")))


def article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def has_scaffold(kind: Kind) -> bool:
    """Whether a plugin can begin with a component of this kind."""
    return _template(kind.name, "py").is_file() and _template(kind.name, "test").is_file()


def _template(kind: str, what: str) -> Path:
    return TEMPLATES / f"{kind}.{what}.template"


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

    @classmethod
    def of(cls, folder: Path, names: Mapping[str, str], registry: Registry) -> Self:
        """The package for a folder.

        Args:
            names: kind → name of the component to begin with; without any, a loss with the folder's name.

        Raises:
            LvmError: names that cannot be a module, that are taken, or that are alike.
        """
        dist = distribution(folder)
        parts = tuple(Part(kind, name) for kind, name in names.items())
        package = cls(dist, parts or (Part("loss", re.sub(r"^lvm-(plugin-)?(?=.)", "", dist)),))
        package._check(registry)
        return package

    @property
    def package(self) -> str:
        return self.dist.replace("-", "_")

    @property
    def entry(self) -> str:
        """The plugin's name: the distribution's without its prefix."""
        return re.sub(r"^lvm-(plugin-)?(?=.)", "", self.dist)

    def files(self) -> Iterator[tuple[str, str]]:
        """Each file's path and text."""
        kinds = " and ".join(f"{article(part.kind)} {part.kind} ({part.name})" for part in self.parts)
        common = {
            "dist": self.dist,
            "package": self.package,
            "entry": self.entry,
            "core": ".".join(version("lvmcore").split(".")[:2]),
            "year": str(date.today().year),
            "description": kinds[:1].upper() + kinds[1:],
            "try_it": "\n".join(f"$ {KINDS[part.kind].use.format(name=part.name)}" for part in self.parts),
            "table": "\n".join(
                f"| {part.kind} `{part.name}` | `{self.package}/{part.module}.py` |" for part in self.parts
            ),
        }
        for file in sorted((TEMPLATES / "package").rglob("*.template")):
            path = file.relative_to(TEMPLATES / "package").with_suffix("")
            yield str(path), Template(file.read_text("utf-8")).substitute(common)
        yield f"{self.package}/__init__.py", self._hooks()
        for part in self.parts:
            names = {**common, **attrs.asdict(part), "module": part.module, "cls": part.cls, "title": part.name}
            for what, path in (
                ("py", f"{self.package}/{part.module}.py"),
                ("test", f"tests/test_{part.module}.py"),
            ):
                source = _template(part.kind, what).read_text("utf-8")
                yield path, Template(source).substitute(names)

    def write(self, folder: Path) -> list[Path]:
        """Write every file, or none.

        Raises:
            LvmError: a file is there already.
            MachineError: the disk is full, or the folder cannot be written; nothing is left behind.
        """
        files = {folder / path: text for path, text in self.files()}
        if there := [str(path) for path in files if path.exists()]:
            raise LvmError(
                f"nothing was written: there is already {', '.join(there)}", where=str(folder), expected="a new folder"
            )
        made: list[Path] = []
        try:
            for path, text in files.items():
                absent = [one for one in path.parents if not one.exists()]
                made += absent[::-1]
                made.append(path)
                write_whole(path, text, parents=True)
        except BaseException:
            for path in reversed(made):
                with suppress(OSError):
                    path.rmdir() if path.is_dir() else path.unlink()
            raise
        return list(files)

    def _hooks(self) -> str:
        """The module that the entry point names."""
        text = f'"""The hooks of {self.dist}."""\n\nfrom lvmcore import hookimpl\n'
        for part in self.parts:
            text += (
                f"\n\n@hookimpl\ndef {KINDS[part.kind].hook}():\n"
                f'    return [("{part.name}", "{self.package}.{part.module}:{part.cls}")]\n'
            )
        return text

    def _check(self, registry: Registry) -> None:
        """Names that can be a module, are not taken, and differ."""
        modules: dict[str, Part] = {}
        for part in self.parts:
            where = f"--{part.kind} {part.name}"
            if not re.fullmatch(r"[A-Za-z][\w-]*", part.name) or keyword.iskeyword(part.module):
                said = f"'{part.name}' is no name for a module"
                raise LvmError(said, where=where, expected="letters, digits, - and _")
            owners = [found.plugin.dist for found in registry.all(part.kind) if found.name == part.name]
            if owners and self.dist not in owners:
                raise LvmError(
                    f"{owners[0]} gives {article(part.kind)} {part.kind} '{part.name}' already",
                    where=where,
                    fix=f"another name; lvm list {KINDS[part.kind].plural} shows those that are taken",
                )
            if part.module in modules:
                raise LvmError(f"two components are named '{part.name}'", where=where, expected="one file a component")
            modules[part.module] = part


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
