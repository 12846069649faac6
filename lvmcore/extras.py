"""Libraries that not everybody needs: imported where they are used, and named where they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lvmcore.errors import LvmError


def needs(module: str, extra: str) -> Any:
    """Import a module of an optional library.

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
