"""Everything that is done with corpora, from Python; the commands `lvm data …` call exactly this."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from lvmcore.data.corpus import Corpus
from lvmcore.data.npz import import_npz, wanting
from lvmcore.registry import Registry

PathLike = str | Path


@attrs.frozen
class Corpora:
    """Makes corpora and looks into them; it is a lab's `corpora`.

    Args:
        tell: where it says what may not have been meant.
    """

    registry: Registry
    tell: Callable[[str], None]

    def import_(self, file: PathLike, output: PathLike | None = None, **about: Any) -> Corpus:
        """Write the corpus that an NPZ file holds, beside it or to `output`, and open it.

        Args:
            about: name, encoder, chunking, licence, source; seed of the splits; force, to overwrite.
        """
        source = Path(file)
        target = Path(output) if output else source.parent / f"{source.stem}.safetensors"
        options = {key: about.pop(key) for key in ("seed", "force") if key in about}
        facts = {"encoder": "unknown", "chunking": "unknown", "licence": "unknown", "source": "unknown"}
        for said in import_npz(source, target, facts | {"name": source.stem} | about, **options):
            self.tell(said)
        corpus = Corpus.open(target)
        for said in wanting(corpus):
            self.tell(said)
        return corpus
