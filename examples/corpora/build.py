"""Builds a corpus of packages that the registries hold: fetched, verified, unpacked, and given to `lvm data build`.

    python examples/corpora/build.py docs.toml --into FOLDER             # FOLDER/docs.safetensors and its texts
    python examples/corpora/build.py docs.toml --into FOLDER --dry-run   # what would stay, and how long it takes

Stop it as you like: the same command goes on from there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

from counts import count
from fetch import fetch
from recipe import Recipe, load
from unpack import unpack

from lvmcore import Lab, LvmError

HERE = Path(__file__).parent
READERS = HERE / "package_readers.py"


def gather(recipe: Recipe, into: Path, cache: Path) -> Path:
    """Fetch and unpack every package of a recipe, and give the folder that holds a folder a source.

    Raises:
        LvmError: a package is not what the recipe means.
        MachineError: a registry's client is missing.
    """
    texts = into / "texts"
    texts.mkdir(parents=True, exist_ok=True)
    for name, package in recipe.sources.items():
        unpack(fetch(package, cache), package, texts / name)
    return texts


def survey(recipe: Recipe, texts: Path, lab: Lab) -> str:
    """What a build would keep, and how long it would take here."""
    with contextlib.chdir(texts):
        found = lab.corpora.survey(list(recipe.sources), **recipe.options)
    return (
        f"{found.kept_articles:,} of {found.articles:,} articles stay, and {found.kept_chunks:,} of {found.chunks:,} "
        f"chunks; to encode them takes about {(found.seconds or 0) / 3600:.1f} hours"
    )


def build(recipe: Recipe, texts: Path, into: Path, lab: Lab, *, force: bool = False) -> str:
    """Write the corpus of a recipe, its texts, and its counts, and say where.

    Raises:
        LvmError: the corpus is there already, or an unfinished one was begun otherwise.
        MachineError: the disk is full.
    """
    target = into.absolute() / f"{recipe.name}.safetensors"
    # Titles begin with the name of their source, wherever the folder is, since splits are drawn by them.
    with contextlib.chdir(texts):
        corpus = lab.corpora.build(recipe.name, list(recipe.sources), target, force=force, **recipe.options)
    counts = json.dumps(count(corpus, target.with_suffix(".texts.jsonl")), indent=1)
    target.with_suffix(".counts.json").write_text(counts + "\n", "utf-8")
    return str(target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, help="a recipe: a path, or the name of one that lies beside this file")
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="where the corpus goes")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="of the packages  [default: packages in --into]")
    parser.add_argument("--dry-run", action="store_true", help="count articles and chunks, and estimate the time")
    parser.add_argument("--force", action="store_true", help="overwrite the corpus")
    asked = parser.parse_args()
    try:
        recipe = load(asked.recipe if asked.recipe.exists() else HERE / asked.recipe)
        texts = gather(recipe, asked.into, asked.cache or asked.into / "packages")
        lab = Lab(plugins=[READERS], progress=True)
        print(survey(recipe, texts, lab) if asked.dry_run else build(recipe, texts, asked.into, lab, force=asked.force))
    except LvmError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_status
    except KeyboardInterrupt:
        print("stopped; the same command goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
