"""From files of text to a corpus, stage by stage, in a working folder from which a later build goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import numpy as np

from lvmcore.building.duplicates import mark
from lvmcore.building.encoding import encode, encoded, kept_texts, truncated
from lvmcore.building.progress import Watch
from lvmcore.building.reading import Cut, Sources, read
from lvmcore.building.recipe import Recipe
from lvmcore.building.report import Survey
from lvmcore.building.work import Work, machine_faults
from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.sources.read import Reading
from lvmcore.data.sources.text import Encoding
from lvmcore.data.splits import Division
from lvmcore.data.store.texts import texts_file
from lvmcore.data.store.writing import save_corpus
from lvmcore.device import find, resolve
from lvmcore.errors import LvmError, MachineError
from lvmcore.expression import parse_one
from lvmcore.registry import Made, Registry

SCHEMA = 1
"""Of the working folder."""
SUFFIX = ".safetensors"
_SAMPLE = 128
"""Chunks encoded to estimate how long all take."""


def target_of(name: str | Path, output: str | Path | None = None) -> Path:
    """The corpus file of a name."""
    return Path(output or (name if str(name).endswith(SUFFIX) else f"{name}{SUFFIX}")).expanduser()


def working_folder(target: Path) -> Path:
    """Where a build of this corpus file does its work; hidden, beside it."""
    return target.with_name(f".{target.stem}.building")


@attrs.define(slots=False)
class Build:
    """One corpus from these files.

    Args:
        target: the corpus file; its texts lie beside it.
    """

    paths: tuple[str, ...]
    target: Path
    recipe: Recipe
    registry: Registry
    watch: Watch

    def run(self, *, force: bool = False, restart: bool = False) -> tuple[Survey, Division]:
        """Write the corpus, from where an earlier build was ended.

        Args:
            force: overwrite the corpus file.
            restart: begin anew.

        Raises:
            LvmError: a mistake in what is asked for, text that cannot be read, or none that stays; an unfinished build
                of other files, or with other options.
            MachineError: the disk is full, or must not be written. Nothing that was done is lost.
        """
        _ = self.encoding, self.cut, self.reading  # what is wrong with them is said before anything is begun
        folder = working_folder(self.target)
        if restart and folder.exists():
            with Work(folder) as old, machine_faults(folder):
                old.remove()
        with Work(folder) as work:
            try:
                written = self._is_written(work)
                if self.target.exists() and not (force or written):
                    raise LvmError(
                        "the corpus file exists already", where=str(self.target), fix="--force, or another name"
                    )
                self._compare(work)
                division = self._select(work)
                survey = Survey.of(work)
                if not written:
                    blocks = encode(work, self.encoding, self._made_by, self.watch)
                    survey = attrs.evolve(survey, truncated=truncated(work, blocks))
                    self._write(work, blocks, division)
            except BaseException as problem:
                if not isinstance(problem, MachineError) and not work.get("chunks"):
                    work.remove()  # nothing is lost, and no mistake leaves a folder behind
                raise
            with machine_faults(self.target):
                self._publish(work)
                work.remove()
        return survey, division

    def survey(self) -> tuple[Survey, Division]:
        """Read, cut, and drop what would be dropped, and encode a few chunks to see how long all would take.

        Nothing stays of it. Raises as `run` does.
        """
        with TemporaryDirectory(prefix="lvm-") as folder, Work(Path(folder) / "work") as work:
            division = self._select(work)
            survey = Survey.of(work)
            sample = list(islice(kept_texts(work), 0, None, -(-survey.kept_chunks // _SAMPLE)))
            encoded(self.encoding, sample[:8])  # the first texts take longer
            began = time.perf_counter()
            encoded(self.encoding, sample)
            seconds = (time.perf_counter() - began) / len(sample) * survey.kept_chunks
            return attrs.evolve(survey, seconds=seconds), division

    # --- what does the work

    @cached_property
    def _encoder(self) -> Made:
        return self.registry.resolve("encoder", parse_one(self.recipe.encoder))

    @cached_property
    def _chunker(self) -> Made:
        return self.registry.resolve("chunker", parse_one(self.recipe.chunker))

    @cached_property
    def _precision(self) -> str:
        return resolve(self.recipe.precision, find(self.recipe.device))

    @cached_property
    def encoding(self) -> Encoding:
        return self._encoder.component.build(self.recipe.device, self._precision)

    @cached_property
    def cut(self) -> Cut:
        return self._chunker.component.build(self.encoding.tokenizer)

    @cached_property
    def reading(self) -> Reading:
        return Reading(self.registry, parse_one(self.recipe.reader) if self.recipe.reader else None)

    @property
    def _made_by(self) -> str:
        """All that vectors depend on besides the texts."""
        facts = self.encoding.facts
        return f"{self._encoder.explicit} {facts.name} {facts.revision} {facts.weights} {self._precision}"

    # --- the stages

    def _compare(self, work: Work) -> None:
        """See that the working folder holds what this build would put there; what comes later may be changed freely."""
        asked = {
            "version": SCHEMA,
            "files": list(self.paths),
            "reader": self.recipe.reader or "by suffix",
            "chunker": str(self._chunker.explicit),
            "encoder": self._made_by,
        }
        held = work.get("asked")
        if held is None:
            with machine_faults(work.path):
                work.put(asked=asked)
        elif differing := [key for key in asked if held.get(key) != asked[key]]:
            raise LvmError(
                "an unfinished build of this corpus was begun otherwise",
                where=str(work.path),
                expected="; ".join(f"{key} {_shown(held.get(key))}, not {_shown(asked[key])}" for key in differing),
                fix="give the same command as then to go on, or --restart to begin anew",
            )

    def _select(self, work: Work) -> Division:
        """Stages 1 and 2: read all, drop what must not stay, divide the rest."""
        besides = {path.absolute() for path in (self.target, texts_file(self.target))}
        sources = Sources(self.paths, self.reading, besides)
        sources.list_into(work)
        read(sources, self.cut, work, self.watch)
        mark(work, self.recipe.kept)
        titles, origins, _ = _articles(work)
        if not titles:
            raise Survey.of(work).nothing(", ".join(self.paths))
        return self.recipe.rule.divide(titles, origins)

    def _write(self, work: Work, blocks: Sequence[Path], division: Division) -> None:
        """Stage 4: the corpus, in the working folder."""
        titles, origins, lengths = _articles(work)
        facts = self.encoding.facts
        info = CorpusInfo(
            name=self.target.stem,
            encoder=facts.name,
            revision=facts.revision,
            weights=facts.weights,
            encoder_term=str(self._encoder.explicit),
            chunking=str(self._chunker.explicit),
            licence=self.recipe.licence,
            source=self.recipe.source,
            titles=tuple(titles),
            sources=tuple(origins),
        )
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = (np.load(path) for path in blocks)
        digest = save_corpus(work.path / self.target.name, rows, starts, division.splits, info, kept_texts(work))
        with machine_faults(work.path):
            work.put(written=digest, as_asked=self._late)

    def _publish(self, work: Work) -> None:
        """Put the corpus where it belongs; its texts first, so that no corpus is there without."""
        for target in (texts_file(self.target), self.target):
            if (written := work.path / target.name).exists():
                os.replace(written, target)

    def _is_written(self, work: Work) -> bool:
        """Whether a build that was killed at its very end had written all but removed its folder."""
        written = work.get("written")
        if written is None or work.get("as_asked") != self._late:
            return False
        held = work.path / self.target.name
        place = held if held.exists() else self.target
        return place.exists() and Corpus.open(place).info.digest == written

    @property
    def _late(self) -> str:
        """What the corpus depends on besides what the working folder was begun with."""
        return str(self.recipe)


def _articles(work: Work) -> tuple[list[str], list[str], list[int]]:
    """Title, source and number of chunks of every article that stays."""
    rows = work.db.execute(
        "SELECT title, source, kept FROM articles JOIN files ON files.id = file "
        "WHERE dropped IS NULL ORDER BY articles.id"
    ).fetchall()
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def _shown(value: Any) -> str:
    return f"'{' '.join(value) if isinstance(value, list) else value}'"
