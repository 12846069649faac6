"""What must be installed: the version of the core that a plugin asks for, and libraries that not everybody needs."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import Distribution, version
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from lvmcore.errors import LvmError


def unmet(dist: Distribution, core: str) -> str:
    """What a distribution needs of the core and does not find, or nothing.

    pip asks that when it installs; it is not asked after `--no-deps`, nor when the core alone is changed later.
    """
    own = version(core)
    for text in dist.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # who cannot be understood asks for nothing here; pip has its own say
            continue
        # a requirement with a marker holds for an extra, or for some machines: that is pip's business
        if canonicalize_name(requirement.name) != canonicalize_name(core) or requirement.marker:
            continue
        if not requirement.specifier.contains(own, prereleases=True):
            rules = ",".join(sorted(map(str, requirement.specifier), reverse=True))  # >=0.2,<1: the lower end first
            return f"it needs {core}{rules}, this is {core} {own}; pip install '{core}{rules}'"
    return ""


def needs(module: str, extra: str) -> Any:
    """Import a module of an optional library, where it is used.

    Raises:
        LvmError: the library is not installed; the extra that brings it is named.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as problem:
        library = module.partition(".")[0]
        if problem.name is None or problem.name.partition(".")[0] != library:
            raise
        raise LvmError(f"{library} is not installed", fix=f"pip install 'lvmcore[{extra}]'") from None
