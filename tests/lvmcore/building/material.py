"""Small folders of text, and what a build of them is called with."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from lvmcore.corpora import Corpora
from lvmcore.data.corpus import Corpus
from lvmcore.registry import Registry

PLAIN: dict[str, Any] = {"encoder": "hash", "chunker": "words:10"}
"""Ten words a chunk: an article of 60 words has a window."""

WORDS = [a + b for a in ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti") for b in ("dor", "fen", "gal", "hum", "jis")]


def words(seed: int, count: int) -> str:
    """So many words in sentences of seven, the same for a seed."""
    draw = random.Random(seed)
    said = [draw.choice(WORDS) + ("." if i % 7 == 6 else "") for i in range(count)]
    return " ".join(said)


def write(folder: Path, articles: dict[str, str]) -> Path:
    """A folder with a file an article."""
    for name, text in articles.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder


def folder_of(place: Path, articles: int = 12, length: int = 120) -> Path:
    """A folder `texts` of articles that have nothing in common."""
    return write(place / "texts", {f"{i:02}.txt": words(i, length) for i in range(articles)})


class Builder:
    """Builds with the hash encoder in a folder, and keeps what is said."""

    def __init__(self, place: Path, registry: Registry) -> None:
        self.place, self.said = place, list[str]()
        self.corpora = Corpora(registry, self.said.append)

    def __call__(self, *files: Path, name: str = "mine", **options: Any) -> Corpus:
        self.said.clear()
        return self.corpora.build(self.place / name, files, **{**PLAIN, **options})

    @property
    def left(self) -> list[str]:
        """What is in the folder besides texts."""
        return sorted(path.name for path in self.place.iterdir() if path.name != "texts")


def contents(place: Path, name: str = "mine") -> tuple[bytes, bytes]:
    """The bytes of a corpus file, and of its texts."""
    return (place / f"{name}.safetensors").read_bytes(), (place / f"{name}.texts.jsonl").read_bytes()
