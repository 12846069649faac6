"""The folder of runs: which there are, and which one a word means. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from lvmcore.errors import LvmError, nearest
from lvmcore.runs.run import Run


def all_runs(root: Path) -> Iterator[Run]:
    """Every readable run below a folder, oldest first."""
    for file in sorted(root.glob("*/run.json")) if root.is_dir() else ():
        try:
            yield Run.open(file.parent)
        except LvmError:
            continue


def listed_runs(root: Path) -> Iterator[Run]:
    """Every run below a folder, oldest first; one that cannot be read is `damaged`, and says why.

    Raises:
        LvmError: it is no folder.
    """
    require_folder(root)
    for file in sorted(root.glob("*/run.json")):
        yield _listed(file.parent)


def _listed(folder: Path) -> Run:
    run = _named(folder)
    try:
        run = Run.open(folder)
        _ = run.epochs, [run.document_by(protocol) for protocol in run.protocols]
    except LvmError as problem:
        run = run.as_damaged(problem)
    return run


def _named(folder: Path) -> Run:
    """A run of which nothing but the folder is known."""
    return Run(folder, {"name": folder.name})


def _recorded(folder: Path) -> Run:
    """A run by its record alone, whatever else is in its folder; without a record, by its folder."""
    try:
        return Run.open(folder)
    except LvmError:
        return _named(folder)


def distinct(runs: Iterable[Run]) -> list[Run]:
    """The runs without those that were named before."""
    return list({run.path.resolve(): run for run in runs}.values())


def age(run: Run) -> tuple[str, str]:
    """What runs are sorted by, the oldest first."""
    return str(run.record.get("started") or run.path.name), run.path.name  # the name begins with the date


def numbers(runs: Collection[Run]) -> dict[Path, int]:
    """Each run's number: its place by age among all of the folder that it is in; the oldest is 1."""
    found: dict[Path, int] = {}
    for folder in {run.path.parent for run in runs}:
        found |= _numbers_in(folder, runs)
    return found


def _numbers_in(folder: Path, known: Iterable[Run]) -> dict[Path, int]:
    """The number of every run of a folder; those that are known already are not read again."""
    by_path = {run.path: run for run in known}
    places = [file.parent for file in folder.glob("*/run.json")]
    everyone = sorted((by_path.get(place) or _recorded(place) for place in places), key=age)
    return {run.path: number for number, run in enumerate(everyone, 1)}


def _require_sound_newest(root: Path, runs: Iterable[Run]) -> None:
    """See that no run that cannot be read is newer than those that can: an older one is not what is meant.

    Raises:
        LvmError: there is one; it says what is wrong with it.
    """
    newest = max((file.parent for file in root.glob("*/run.json")), key=_name_of, default=None)
    if newest is None or newest in {run.path for run in runs}:
        return
    try:
        Run.open(newest)
    except LvmError as problem:
        raise LvmError(
            f"the newest run is damaged: {problem.what}",
            where=problem.where,
            expected="another run by its name",
            fix="lvm runs",
        ) from None


def _name_of(folder: Path) -> str:
    return folder.name


def _damaged_since(run: Run, root: Path, runs: Iterable[Run]) -> list[Path]:
    """The folders of newer runs of the same name that cannot be read."""
    sound, called = {one.path for one in runs}, _called(run.path)
    others = (file.parent for file in root.glob("*/run.json"))
    return [one for one in sorted(others) if one not in sound and one.name > run.path.name and _called(one) == called]


def _called(folder: Path) -> str:
    """The name in a folder's name, between the date and the id."""
    return folder.name[len("2025-11-02-120000-") :].rpartition("-")[0]


def require_folder(root: Path) -> None:
    """See that the runs' folder, if it is there, is one."""
    if root.exists() and not root.is_dir():
        raise LvmError("it is no folder of runs", where=str(root), fix="--runs DIR")


def find_listed(text: str, root: Path, tell: Callable[[str], None] = lambda said: None) -> Run:
    """A run as the listings show it: by what `find_run` knows, and a damaged one by its folder.

    Raises:
        LvmError: no such run, or several.
    """
    for folder in (Path(text), root / text) if text.strip() else ():
        if (folder / "run.json").exists():
            return _listed(folder)
    return find_run(text, root, tell)


def matches(
    run: Run,
    *,
    status: str | None = None,
    variant: str | None = None,
    corpus: str | None = None,
    tag: str | None = None,
) -> bool:
    """Whether a run is what is looked for; what is None is not looked at."""
    record = run.record
    held = (
        (status, [record["status"]]),
        (variant, [(record.get("variant") or {}).get("name", record["name"])]),
        (corpus, [(record.get("corpus") or {}).get("name")]),
        (tag, record.get("tags") or []),
    )
    return all(wanted is None or wanted in found for wanted, found in held)


def find_run(text: str, root: Path, tell: Callable[[str], None] = lambda said: None) -> Run:
    """A run by its folder, its name (the newest of several), the id at the folder's end, its number, or `latest`.

    What is none of these may be a part of a folder's name.

    Args:
        tell: is told which run was taken, where several have the name.

    Raises:
        LvmError: no such run, or several.
    """
    if not text.strip():
        raise LvmError(
            "no run is named", expected="its folder, its name, its id, its number, or latest", fix="lvm runs"
        )
    if (Path(text) / "run.json").exists():
        return Run.open(Path(text))
    require_folder(root)
    runs = sorted(all_runs(root), key=age)
    if text == "latest":
        _require_sound_newest(root, runs)
    if text == "latest" and runs:
        return runs[-1]
    found = [run for run in runs if run.path.name == text]
    if not found and (named := [run for run in runs if run.record["name"] == text]):
        newest = named[-1]
        for damaged in _damaged_since(newest, root, runs):
            tell(f"{damaged.name}, which is newer, is damaged and left out")
        if len(named) > 1:
            tell(f"of {len(named)} runs '{text}', the newest: {newest.path.name}")
        return newest
    found = found or [run for run in runs if run.path.name.endswith(f"-{text}")]
    if not found and text.isdecimal():
        found = [Run.open(path) for path, number in _numbers_in(root, runs).items() if number == int(text)]
    found = found or [run for run in runs if text in run.path.name]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(run.path.name for run in found)
        raise LvmError(f"'{text}' means {len(found)} runs: {names}", where=str(root), expected="one of these names")
    guess = nearest(text, [run.path.name for run in runs])
    raise LvmError(
        f"there is no run '{text}'" + (f"; did you mean '{guess}'?" if guess else ""),
        where=str(root),
        fix="lvm runs",
    )
