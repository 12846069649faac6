"""Which form a file has, how it is read, and how a corpus is written in it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import attrs

from lvmcore.data.corpus import Corpus
from lvmcore.data.forms.archive import ARCHIVE, Archive
from lvmcore.data.forms.found import Found, Reading, reading_of
from lvmcore.data.forms.outline import Writing
from lvmcore.errors import LvmError, nearest
from lvmcore.files import require_absent

BESIDE = {".npy", ".faiss", ".index"}
"""What holds vectors and nothing else: a file of lines says what they are of."""
MAGIC = {b"PK\x03\x04": ".npz", b"\x93NUM": ".npy", b"PAR1": ".parquet", b"IxF2": ".faiss", b"IxFI": ".faiss"}
FORMS = ".npz, .npy and .jsonl, .parquet, .faiss, or a `datasets` folder"
HINTS = {
    ".safetensors": ("that is a corpus already", "lvm data show, split or join"),
    ".pt": ("PyTorch's files are pickles", "np.save the tensor as an array, then import that"),
    ".pkl": ("a pickle can run any code when it is read", "np.savez its arrays, then import that"),
    ".csv": ("vectors in text are not read", "write it as Parquet with a column of lists"),
    **dict.fromkeys((".txt", ".md", ".html"), ("that is text", "lvm data build makes vectors of it")),
}


def read(sources: Sequence[Path], reading: Reading) -> list[Found]:
    """Read files, each as what it is; an array of vectors and its file of lines are one.

    Raises:
        LvmError: a file that is missing, or of no form that is read; lines that belong to no vectors.
    """
    lines = [source for source in sources if source.suffix.lower() == ".jsonl"]
    others = [source for source in sources if source not in lines]
    found, used = [], []
    for source in others:
        with reading_of(source, FORMS):
            suffix = _suffix(source)
            own = None
            if suffix in BESIDE:
                own = _lines_of(source, lines, alone=sum(other.suffix.lower() in BESIDE for other in others) == 1)
                used += [own] if own else []
            found.append(_read(source, suffix, own, reading))
            if own and own not in lines:
                found[-1] = attrs.evolve(found[-1], notes=(f"{own} says what its rows are of", *found[-1].notes))
    if left := [file for file in lines if file not in used]:
        raise LvmError("there are no vectors that these lines belong to", where=str(left[0]), expected=FORMS)
    return found


def _read(source: Path, suffix: str, lines: Path | None, reading: Reading) -> Found:
    if suffix == ".npz":
        from lvmcore.data.forms import articles, sequences

        archive = Archive(source, reading)
        form = sequences if sequences.holds_windows(archive, reading) else articles
        return form.read(archive, reading)
    if suffix in BESIDE:
        from lvmcore.data.forms.lines import read as read_lines

        return read_lines(source, lines, reading)
    from lvmcore.data.forms import tables

    return (tables.read_folder if suffix == "/" else tables.read_parquet)(source, reading)


def _suffix(source: Path) -> str:
    """What the form is known by: the suffix, or how the file begins; `/` for a folder."""
    if source.is_dir():
        if any((source / name).is_file() for name in ("state.json", "dataset_dict.json")):
            return "/"
        raise LvmError("that is a folder, and no file", where=str(source), expected=f"{ARCHIVE}; or {FORMS}")
    suffix = source.suffix.lower()
    if suffix in {".npz", ".parquet", *BESIDE}:
        source.open("rb").close()
        return suffix
    with source.open("rb") as file:
        begins = file.read(4)
    if begins in MAGIC and suffix not in HINTS:
        return MAGIC[begins]
    what, fix = HINTS.get(suffix, ("the file is of no form that is read", None))
    raise LvmError(what, where=str(source), expected=FORMS, fix=fix)


def _lines_of(source: Path, lines: Sequence[Path], alone: bool) -> Path | None:
    """The lines that were given for an array: of its name, or the only ones; else those that lie beside it."""
    for file in lines:
        if file.stem == source.stem or (alone and len(lines) == 1):
            return file
    beside = source.with_suffix(".jsonl")
    return beside if beside.is_file() else None


WRITTEN = {
    "articles": (".npz", "articles"),
    "sequences": (".npz", "sequences"),
    "lines": (".npy", "lines"),
    "parquet": (".parquet", "tables"),
}
"""What a corpus is written as: the suffix, and the module that writes it."""


def write(corpus: Corpus, file: Path, form: str | None, writing: Writing, *, force: bool = False) -> list[str]:
    """Write a corpus in another form, and say what is to be known of it.

    Args:
        form: articles, sequences, lines or parquet; by default what the suffix says.

    Raises:
        LvmError: an unknown form, a suffix that does not fit, a file that exists already.
    """
    by_suffix = {suffix: name for name, (suffix, _) in reversed(WRITTEN.items())}
    form = form or by_suffix.get(file.suffix.lower())
    if form not in WRITTEN:
        guess = nearest(form or "", WRITTEN)
        raise LvmError(
            f"there is no form '{form}'" + (f"; did you mean '{guess}'?" if guess else "")
            if form
            else "the name does not say in which form to write",
            where=str(file),
            expected=", ".join(f"{name} (FILE{suffix})" for name, (suffix, _) in WRITTEN.items()),
        )
    suffix, module = WRITTEN[form]
    if file.suffix.lower() != suffix:
        raise LvmError(f"a file of form '{form}' ends in {suffix}", where=str(file), fix=f"-o {file.stem}{suffix}")
    for target in (file, file.with_suffix(".jsonl")) if form == "lines" else (file,):
        require_absent(target, force)
    if writing.context < 1:
        raise LvmError(f"{writing.context} rows of context are none", expected="1 or more")
    return import_module(f"lvmcore.data.forms.{module}").write(corpus, file, writing)
