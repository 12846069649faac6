"""Does an installed distribution's metadata ask for another version of the core than this one?

pip asks that when it installs; it is not asked after `--no-deps`, nor when the core alone is changed later.
"""

from __future__ import annotations

from importlib.metadata import Distribution, version

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


def unmet(dist: Distribution, core: str) -> str:
    """What a distribution needs of the core and does not find, or nothing."""
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
