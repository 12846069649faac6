"""A bench for ideas: variants × corpora × seeds, each beside every cheat and beside P1. Resumable; run by hand.

    python examples/next/bench.py --data factbook --seeds 0,1 --only next 'with*'
    python examples/next/bench.py --data wiki --data novels=FILE.safetensors
    python examples/next/bench.py --data wiki --init docs=runs/MODEL --only next-text
    python examples/next/bench.py --data wiki --list

The protocol, which was fixed before anything was looked at:

1. An idea is a variant: of lvm itself, or an entry in ideas.toml. One that needs code brings a plugin file, named in
   PLUGINS. A candidate is an idea with all of its options; another weight is another candidate.
2. A candidate is chosen on TRAIN and VAL: its settings, its best epoch, whether it is kept. OOD is measured in the same
   command and read once a candidate, to report it; nothing is changed after OOD and run again under the same name.
3. Everything that was tried is counted and kept, whatever came of it: the more candidates, the better the best one
   looks by chance alone.

A result is one small JSON, results/CORPUS/IDEA-sSEED.json, filed last and whole; one that is there is not repeated.
With --init NAME=MODEL ideas begin with the weights of a model, and are filed as IDEA-from-NAME.
The runs that others are compared with window by window, those of AGAINST, leave their figures of single windows
beside it, and come first: a result has no difference to one that was not there when it was made.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import attrs

sys.path.insert(0, str(Path(__file__).parents[1]))
from result import AGAINST, file_result, result_file
from units import carry_out_all, lvm

HERE = Path(__file__).parent
RESULTS = HERE / "results"
IDEAS = HERE / "ideas.toml"
PLUGINS = ("neighbours.py", "whitening.py")
"""Files beside this one that ideas.toml needs."""
P1 = {"wiki": "p1"}
"""Which P1 a corpus has beside it; on the others the one of 5 epochs, as many as P1's own training record holds."""


@attrs.frozen
class Unit:
    """One idea on one corpus by one seed."""

    idea: str
    corpus: str
    """The name that its result is filed under."""
    data: str
    seed: int
    results: Path = RESULTS
    init: tuple[str, str] | None = None
    """What the model is called that it begins with, and where that is."""

    @property
    def filed_as(self) -> str:
        return f"{self.idea}-from-{self.init[0]}" if self.init else self.idea

    @property
    def done(self) -> bool:
        return result_file(self.results, self.corpus, self.filed_as, self.seed).is_file()

    @property
    def words(self) -> list[str]:
        given = [self.idea, "--data", self.data, "--seed", str(self.seed), "--registry", os.path.relpath(IDEAS)]
        given += [word for file in PLUGINS for word in ("--plugin", os.path.relpath(HERE / file))]
        given += ["--init", self.init[1]] if self.init else []
        return [*given, "--precision", "auto"] if self.idea.startswith("p1") else given


def ideas(corpus: str) -> list[str]:
    """Every idea in its order: P1 and `next`, with which the others are compared, then those of ideas.toml."""
    return [P1.get(corpus, "p1-5"), "next", "next-text", *tomllib.loads(IDEAS.read_text("utf-8"))["variants"]]


def units(
    corpora: dict[str, str],
    seeds: list[int],
    only: list[str],
    results: Path = RESULTS,
    init: tuple[str, str] | None = None,
) -> Iterator[Unit]:
    """Corpus by corpus, seed by seed, what matches one of the patterns; P1 by the first seed alone."""
    for corpus, data in corpora.items():
        for seed in seeds:
            for idea in ideas(corpus):
                wanted = not only or any(fnmatchcase(idea, pattern) for pattern in only)
                if wanted and (seed == seeds[0] or idea not in AGAINST["p1"]):
                    yield Unit(idea, corpus, data, seed, results, init)


def carry_out(unit: Unit) -> None:
    """Train and evaluate, and file what is kept of it."""
    with tempfile.TemporaryDirectory(prefix="lvm-bench-") as scratch:
        made: dict[str, Any] = lvm("run", *unit.words, "--runs", scratch, "--quiet", "--json")
        file_result(Path(made["path"]), unit.results, unit.corpus, unit.filed_as, unit.seed)


def named(text: str) -> tuple[str, str]:
    """`wiki`, or `NAME=FILE` for what results are filed under a name of."""
    name, _, file = text.partition("=")
    if not re.fullmatch(r"[\w-]+", name):
        raise argparse.ArgumentTypeError(f"'{text}': expected NAME=FILE, or a name alone")
    return name, file or name


def seeds_of(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="NAME[=FILE]", type=named, action="append", required=True)
    parser.add_argument("--seeds", metavar="N,N", type=seeds_of, default=[0], help="0, where nothing is said")
    parser.add_argument(
        "--only", metavar="IDEA", nargs="+", default=[], help="these ideas, or patterns such as 'rank-*'"
    )
    parser.add_argument(
        "--init", metavar="NAME=MODEL", type=named, help="a run or a file whose weights they begin with"
    )
    parser.add_argument("--list", action="store_true", help="say what is done and what is not")
    asked = parser.parse_args()
    found = units(dict(asked.data), asked.seeds, asked.only, init=asked.init)
    carry_out_all(found, carry_out, only_list=asked.list)


if __name__ == "__main__":
    main()
