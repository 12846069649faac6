"""A model of sentence-transformers in a folder, as an encoder: the library does the work, this keeps the contract."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lvmcore import EncoderFacts, LvmError, Tokenizer, needs
from lvmcore import device as devices

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer as FastTokenizer

BATCH = {"cpu": 32}
"""Texts at once by device; a processor gains nothing from more, an accelerator does."""
OF_ACCELERATOR = 256

_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a pair, which is no character; tokenizers refuse it."""


class SentenceEncoding:
    """A model, read from its folder alone: prompts, pooling, normalisation and length are as its files say.

    Args:
        folder: as sentence-transformers saves a model.
        name, revision: what the corpus will say of it.
        device, precision: as `lvmcore.device` reads them. bf16 is autocast: the weights stay float32, and sums over
            tokens are taken in float32.

    Raises:
        LvmError: the extra is missing, the files cannot be read as a model, or the device isn't there.
    """

    def __init__(self, folder: Path, name: str, revision: str, device: str, precision: str) -> None:
        self._device = devices.find(device)
        self._precision = devices.resolve(precision, self._device)
        self._model = _load(folder, self._device)
        self._counter = _counter(self._model)
        self.dim: int = self._model.get_embedding_dimension() or len(self._run([""])[0])
        self.facts = EncoderFacts(name, revision, digest_of_weights(folder))
        self.truncated = 0

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The model's own, without its special tokens; None where it tells no spans."""
        counter = self._counter
        if counter is None:
            return None
        return lambda text: counter.encode(_mended(text), add_special_tokens=False).offsets

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        mended = [_mended(text) for text in texts]
        limit = self._model.max_seq_length
        if self._counter and limit:
            self.truncated += sum(len(found.ids) > limit for found in self._counter.encode_batch_fast(mended))
        return self._run(mended)

    def _run(self, texts: list[str]) -> np.ndarray:
        """Rows (B, D) in the order given; the library sorts by length, and puts the rows back."""
        with devices.autocast(self._precision, self._device):
            rows = self._model.encode_document(
                texts,
                batch_size=BATCH.get(self._device, OF_ACCELERATOR),
                show_progress_bar=False,
                convert_to_tensor=True,
            )
        return rows.float().cpu().numpy()


def digest_of_weights(folder: Path) -> str:
    """`sha256:…` of the file of weights; where a model has several, of the list that `sha256sum` prints of them."""
    homes = [folder, *sorted(inner for inner in folder.iterdir() if inner.is_dir())]
    files = [file for home in homes for file in sorted(home.glob("*.safetensors")) or sorted(home.glob("*.bin"))]
    digests = [f"{sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    return f"sha256:{digests[0][:64] if len(digests) == 1 else hashlib.sha256(''.join(digests).encode()).hexdigest()}"


def sha256(file: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _load(folder: Path, device: str) -> SentenceTransformer:
    library = needs("sentence_transformers", "encode")
    logging = needs("transformers.utils.logging", "encode")
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # it would count weights, in a second, across the progress of whoever asked
    try:
        model = library.SentenceTransformer(
            str(folder), device=device, local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    except Exception as problem:  # config, tokenizer and weights each fail in ways of their own
        raise LvmError(
            f"the model cannot be read: {type(problem).__name__}: {problem}",
            where=str(folder),
            expected="a model as sentence-transformers saves it, its weights as safetensors",
        ) from problem
    finally:
        if bars:
            logging.enable_progress_bar()
    return model.float().eval()


def _counter(model: SentenceTransformer) -> FastTokenizer | None:
    """A copy of the model's tokenizer that neither cuts nor pads: the model's own is set anew by each batch."""
    from tokenizers import Tokenizer as FastTokenizer

    own = getattr(model.tokenizer, "backend_tokenizer", None)
    if not isinstance(own, FastTokenizer):
        return None
    copy = FastTokenizer.from_str(own.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _mended(text: str) -> str:
    """Half a surrogate pair becomes U+FFFD, so that every span stays where it was."""
    return _SURROGATE.sub("\ufffd", text)
