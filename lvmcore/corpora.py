"""Everything that is done with corpora, from Python; the commands `lvm data …` call exactly this."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
from rich.console import Console

from lvmcore.data import description
from lvmcore.data.corpus import Corpus
from lvmcore.data.forms import doors
from lvmcore.data.forms.found import Reading
from lvmcore.data.forms.outline import Writing
from lvmcore.data.gather import called, gather, guard, name_of, of_corpus
from lvmcore.data.open import open_corpus
from lvmcore.data.splits import Rule, parse_shares
from lvmcore.data.store.shards import save_manifest
from lvmcore.errors import LvmError
from lvmcore.registry import Registry

if TYPE_CHECKING:
    from lvmcore.building.build import Build
    from lvmcore.building.report import Survey
    from lvmcore.inspection.inspection import Inspection

PathLike = str | Path


@attrs.frozen
class Corpora:
    """Makes corpora and looks into them; it is a lab's `corpora`.

    Args:
        tell: where it says what may not have been meant.
        console: where progress is shown.
    """

    registry: Registry
    tell: Callable[[str], None]
    console: Console = attrs.field(factory=lambda: Console(quiet=True))

    def build(
        self,
        name: PathLike,
        files: PathLike | Iterable[PathLike],
        output: PathLike | None = None,
        *,
        force: bool = False,
        restart: bool = False,
        **recipe: Any,
    ) -> Corpus:
        """Make a corpus of files and folders of text: `NAME.safetensors`, and `NAME.texts.jsonl` beside it.

        A build that is ended, however it is, leaves a hidden folder beside the file, and the same call goes on from it.

        Args:
            output: the corpus file, if it is not NAME's.
            force: overwrite it.
            restart: begin anew, whatever an unfinished build has done.
            recipe: reader, chunker and encoder (expressions), device, precision; split (`80/10/10`), seed, val and ood
                (patterns), by (`article` or `source`); least, boilerplate, keep_duplicates; licence, source.

        Raises:
            LvmError: a mistake in what was asked for, text that cannot be read, or none that stays.
            MachineError: the disk is full, or must not be written.
        """
        from lvmcore.building.build import target_of

        target = target_of(name, output)
        with self._building(files, target, recipe) as building:
            survey, division = building.run(force=force, restart=restart)
        return self._made((*survey.sentences(), *division.notes), target)

    def survey(self, files: PathLike | Iterable[PathLike], **recipe: Any) -> Survey:
        """What a build of these files would read and drop, and how long it would take; nothing is kept of it."""
        from lvmcore.building.build import target_of

        with self._building(files, target_of("survey"), recipe) as building:
            found, division = building.survey()
        for said in (*found.sentences(), *division.notes):
            self.tell(said)
        return found

    def import_(
        self,
        sources: PathLike | Sequence[PathLike],
        output: PathLike | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        trust_pickle: bool = False,
        max_unpacked: int | None = None,
        one_article: bool = False,
        split: str = "80/10/10",
        seed: int = 0,
        force: bool = False,
        **about: str,
    ) -> Corpus:
        """Write the corpus that files of vectors hold, beside the only one or to `output`, and open it.

        Args:
            sources: NPZ, `.npy` and `.jsonl`, Parquet, flat FAISS indexes, `datasets` folders; several make one.
            columns: role → name, where a file calls vectors, article, chunk, title, split, source or text otherwise.
            trust_pickle: unpickle what is pickled, which can run any code.
            max_unpacked: bytes that a file may unpack to.
            one_article: where nothing says which article a row is of, the rows of a file are one.
            split: shares of train, val and ood, where the files have no splits.
            seed: of those.
            force: overwrite; and put vectors of several encoders into one corpus.
            about: name, encoder, chunking, licence, source.

        Raises:
            LvmError: a file that is missing, damaged, or of no form that is read; rows that are no directions.
        """
        files = [_path(source) for source in ([sources] if isinstance(sources, PathLike) else sources)]
        if not files:
            raise LvmError("there is nothing to import")
        vectors = [file for file in files if file.suffix.lower() != ".jsonl"] or files
        target = self._target(output, vectors, "import")
        guard(target, [*files, *(file.with_suffix(".jsonl") for file in vectors)], force)
        reading = Reading(columns=columns or {}, trust_pickle=trust_pickle, limit=max_unpacked, one_article=one_article)
        rule = Rule(shares=parse_shares(split), seed=seed)
        found = doors.read(files, reading)
        facts = {"name": name_of(target) if len(vectors) > 1 else name_of(vectors[0])} | about
        return self._made(gather(found, target, facts, rule, _names(vectors), several_encoders=force), target)

    def export(
        self,
        data: PathLike | Corpus,
        output: PathLike,
        form: str | None = None,
        *,
        texts: bool = True,
        context: int = 5,
        force: bool = False,
    ) -> Path:
        """Write a corpus for other tools, so that `import_` gives it again, and give the file.

        Args:
            form: articles or sequences (NPZ), lines (`.npy` and `.jsonl`), parquet; by default what the suffix says.
            texts: those of the chunks too, where there are any.
            context: rows of context of sequences.
        """
        target = _path(output)
        writing = Writing(texts=texts, context=context)
        for said in doors.write(open_corpus(data, self.registry), target, form, writing, force=force):
            self.tell(said)
        return target

    def inspect(
        self, data: PathLike | Corpus, *, progress: Callable[[str], None] = lambda said: None, **plan: Any
    ) -> Inspection:
        """Look into a corpus: what it holds, and whether there is a forward signal in it.

        Args:
            progress: told what is being done.
            plan: split, context, windows, near, baseline, resamples, seed, as in `lvmcore.inspection.plan.Plan`.

        Raises:
            LvmError: there is no such corpus, or a setting that is none or out of range.
        """
        from lvmcore.inspection.inspection import inspect
        from lvmcore.inspection.plan import Plan

        return inspect(open_corpus(data, self.registry), self.registry, Plan.of(**plan), progress)

    def split(
        self,
        data: PathLike | Corpus,
        output: PathLike,
        shares: str = "80/10/10",
        *,
        seed: int = 0,
        val: Iterable[str] = (),
        ood: Iterable[str] = (),
        by: Literal["article", "source"] = "article",
        force: bool = False,
    ) -> Corpus:
        """Write a corpus again with other splits.

        Args:
            shares: of train, val and ood; drawn by a hash of each article's title, so that another moves none.
            val, ood: patterns of titles or sources, instead of what would be drawn.
            by: source, to draw all articles of a source together.
        """
        corpus, target = open_corpus(data, self.registry), self._target(output, (), "split")
        guard(target, corpus.files, force)
        rule = Rule(shares=parse_shares(shares), seed=seed, val=tuple(val), ood=tuple(ood), by=by)
        found, name = of_corpus(corpus), corpus.info.name
        division = rule.divide(called(found, name), found.sources)
        found = attrs.evolve(found, splits=division.splits, notes=division.notes)
        return self._made(gather([found], target, {"name": name}, rule, [name]), target)

    def join(
        self, data: Sequence[PathLike | Corpus], output: PathLike, *, name: str | None = None, force: bool = False
    ) -> Corpus:
        """Write several corpora as one, with their splits; each article says which it is from.

        Args:
            force: overwrite; and put vectors of several encoders into one corpus.
        """
        if len(data) < 2:
            raise LvmError("one corpus alone cannot be joined", expected="two or more")
        corpora, target = [open_corpus(each, self.registry) for each in data], self._target(output, (), "join")
        guard(target, [file for corpus in corpora for file in corpus.files], force)
        names = [corpus.info.name for corpus in corpora]
        if len(set(names)) < len(names):
            names = [corpus.where for corpus in corpora]
        found = [of_corpus(corpus) for corpus in corpora]
        facts = {"name": name or name_of(target)}
        return self._made(gather(found, target, facts, Rule(), names, several_encoders=force), target)

    def shards(self, files: Iterable[PathLike], output: PathLike, *, force: bool = False) -> Corpus:
        """Write the manifest that makes one corpus of several files, which lie in its folder, or below.

        Args:
            output: a .json file.
        """
        target = _path(output)
        save_manifest(target, [Path(file) for file in files], force=force)
        return open_corpus(target, self.registry)

    def describe(self, data: PathLike | Corpus, *, verify: bool = False) -> dict[str, Any]:
        """Counts, lengths and facts of a corpus.

        Args:
            verify: read all of it, and see that it is what its header says.
        """
        corpus = open_corpus(data, self.registry)
        if verify:
            corpus.verify()
        return description.describe(corpus)

    @contextmanager
    def _building(self, files: PathLike | Iterable[PathLike], target: Path, recipe: dict[str, Any]) -> Iterator[Build]:
        from lvmcore.building.build import Build
        from lvmcore.building.progress import Bar
        from lvmcore.building.recipe import Recipe

        paths = (files,) if isinstance(files, str | Path) else files
        with Bar(self.console) as bar:
            yield Build(
                tuple(os.path.normpath(path) for path in paths), target, Recipe.of(**recipe), self.registry, bar
            )

    def _made(self, notes: Iterable[str], target: Path) -> Corpus:
        corpus = Corpus.open(target)
        for said in (*notes, *description.wanting(corpus)):
            self.tell(said)
        return corpus

    def _target(self, output: PathLike | None, sources: Sequence[Path], command: str) -> Path:
        if output is not None:
            return _path(output)
        if len(sources) != 1:
            raise LvmError("the corpus needs a name", fix=f"lvm data {command} … -o FILE.safetensors")
        return sources[0].with_suffix(".safetensors")


def _path(given: PathLike) -> Path:
    """A path that has a name.

    Raises:
        LvmError: it is empty, or the root.
    """
    if not str(given).strip():
        raise LvmError("a path is empty", expected="a file")
    path = Path(given)
    if not path.name and not (path := path.absolute()).name:
        raise LvmError("that is a folder, and no file", where=str(given))
    return path


def _names(files: Sequence[Path]) -> list[str]:
    """What articles are said to come from: the file's name, or its path where two have the same."""
    names = [name_of(file) for file in files]
    return names if len(set(names)) == len(names) else [str(file) for file in files]
