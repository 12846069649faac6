"""What a recipe file says: packages of the registries, and the files in them that make a corpus."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import attrs
import cattrs
from attrs.validators import matches_re, min_len
from cattrs.v import format_exception

from lvmcore import LvmError

_TOML = cattrs.Converter(forbid_extra_keys=True)


@attrs.frozen(kw_only=True)
class Package:
    """A source: one package, and what of it is read.

    Args:
        registry: where it comes from, by the registry's own client.
        package, version, file, sha256: exactly which, and the name of its file.
        licence: of the text in it.
        below: a folder of the package; the names of articles begin under it.
        files: patterns of what is read, under `below`; a `*` passes over slashes.
        without: patterns of what is not, though `files` have it.
        ood: whether the whole source stands outside.
    """

    registry: Literal["pypi", "debian", "npm"]
    package: str = attrs.field(validator=min_len(1))
    version: str = attrs.field(validator=min_len(1))
    file: str = attrs.field(validator=matches_re(r"[\w%+~.-]+"))
    sha256: str = attrs.field(validator=matches_re("[0-9a-f]{64}"))
    licence: str = attrs.field(validator=min_len(1))
    below: str = ""
    files: tuple[str, ...] = attrs.field(validator=min_len(1))
    without: tuple[str, ...] = ()
    ood: bool = False


@attrs.frozen(kw_only=True)
class Recipe:
    """A corpus: how its text is cut, encoded and divided, and the packages that it comes from, by their names in it."""

    name: str = attrs.field(validator=matches_re(r"[\w-]+"))
    chunker: str
    encoder: str
    split: str
    seed: int = 0
    val: tuple[str, ...] = ()
    """Patterns of titles; none: drawn, as `split` says."""
    ood: tuple[str, ...] = ()
    """Patterns of titles, besides the sources that stand outside."""
    sources: dict[str, Package] = attrs.field(validator=min_len(1))

    @property
    def options(self) -> dict[str, Any]:
        """What `lvm data build` is asked for."""
        licences = "; ".join(f"{name}: {package.licence}" for name, package in self.sources.items())
        packages = (f"{package.registry} {package.package} {package.version}" for package in self.sources.values())
        return {
            "chunker": self.chunker,
            "encoder": self.encoder,
            "split": self.split,
            "seed": self.seed,
            "val": self.val,
            "ood": (*(name for name, package in self.sources.items() if package.ood), *self.ood),
            "licence": licences,
            "source": ", ".join(packages),
        }


def load(file: Path) -> Recipe:
    """The recipe of a TOML file.

    Raises:
        LvmError: it is none; its mistakes are named.
    """
    try:
        return _TOML.structure(tomllib.loads(file.read_text("utf-8")), Recipe)
    except OSError as problem:
        raise LvmError(f"the recipe cannot be read: {problem.strerror}", where=str(file)) from None
    except ValueError as problem:
        raise LvmError(f"the recipe is no TOML: {problem}", where=str(file)) from None
    except cattrs.BaseValidationError as problem:
        mistakes = "; ".join(cattrs.transform_error(problem, path="recipe", format_exception=_described))
        raise LvmError(f"the recipe has mistakes: {mistakes}", where=str(file), expected="such as docs.toml") from None


def _described(problem: BaseException, kind: type | None) -> str:
    """What a validator says is its first argument; the rest of its arguments repeat the class."""
    unknown = isinstance(problem, cattrs.ForbiddenExtraKeysError)
    return format_exception(problem, kind) if unknown or not problem.args else str(problem.args[0])
