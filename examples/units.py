"""Many runs, one after another, of which none is carried out twice: what reproduction/ and next/ share."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar


class Unit(Protocol):
    """One run."""

    @property
    def words(self) -> list[str]:
        """What `lvm run` is given."""
        ...

    @property
    def done(self) -> bool:
        """Whether its result is there, which is filed last and whole."""
        ...


Some = TypeVar("Some", bound=Unit)


def carry_out_all(units: Iterable[Some], carry_out: Callable[[Some], None], *, only_list: bool = False) -> None:
    """Carry out every unit that is not done, or say of each whether it is."""
    chosen = list(units)
    for number, unit in enumerate(chosen, 1):
        done = unit.done
        if only_list or not done:
            state = "done" if done else "to do"
            print(f"{number}/{len(chosen)} {state:>5}  lvm run {shlex.join(unit.words)}", flush=True)
        if not done and not only_list:
            try:
                carry_out(unit)
            except subprocess.CalledProcessError as failed:  # lvm has said what is wrong
                sys.exit(failed.returncode)


def lvm(*words: str) -> dict[str, Any]:
    """What a command of lvm prints as JSON.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    done = subprocess.run([sys.executable, "-m", "lvmcore", *words], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)
