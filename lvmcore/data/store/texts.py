"""The texts beside a corpus: a JSON line a chunk, of which only those asked for are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor

from lvmcore.errors import LvmError


def texts_file(corpus: Path) -> Path:
    """Where the texts of a corpus file lie."""
    return corpus.with_suffix(".texts.jsonl")


class Texts:
    """The text of each row of a corpus. The file is looked at when a text is asked for, and not before.

    Args:
        path: a line a chunk, `{"text": "…"}`.
        offsets: (N+1,) int64, the byte at which each line begins, and the size of the file.
    """

    def __init__(self, path: Path, offsets: Tensor) -> None:
        self.path, self.offsets = path, offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:
        if not 0 <= row < len(self):
            raise IndexError(f"there is no text {row} among {len(self)}")
        return self.take([row])[0]

    def __iter__(self) -> Iterator[str]:
        return self._texts(range(len(self)))

    def take(self, rows: Iterable[int]) -> list[str]:
        """The texts of these rows.

        Raises:
            LvmError: the file is missing, or not the one that was written with the corpus.
        """
        return list(self._texts(rows))

    def lines(self) -> Iterator[bytes]:
        """Every line as it stands in the file."""
        return (line for _, line in self._lines(range(len(self))))

    def _texts(self, rows: Iterable[int]) -> Iterator[str]:
        for row, line in self._lines(rows):
            try:
                text = json.loads(line)["text"]
            except (ValueError, TypeError, KeyError):
                text = None
            if not isinstance(text, str):
                raise self._foreign(f"line {row + 1} is no text")
            yield text

    def _lines(self, rows: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        try:
            with self.path.open("rb") as file:
                if (size := file.seek(0, 2)) != int(self.offsets[-1]):
                    raise self._foreign(f"it holds {size:,} bytes instead of {int(self.offsets[-1]):,}")
                for row in map(int, rows):
                    begin, end = self.offsets[row : row + 2].tolist()
                    if not 0 <= begin <= end <= size:
                        raise self._foreign(f"text {row} is said to lie at bytes {begin} to {end}")
                    file.seek(begin)
                    yield row, file.read(end - begin)
        except OSError as problem:
            raise LvmError(
                f"the texts of the corpus cannot be read: {problem.strerror or problem}",
                where=str(self.path),
                expected="the file that was written beside the corpus",
            ) from None

    def _foreign(self, why: str) -> LvmError:
        return LvmError(
            f"the texts do not belong to the corpus: {why}",
            where=str(self.path),
            expected="the file that was written beside the corpus",
            fix="build or import the corpus again",
        )
