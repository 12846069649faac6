"""Any model of sentence-transformers, from the Hugging Face hub or from a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from lvm_encoders.sentences import SentenceEncoding
from lvmcore import Encoding, LvmError, component, needs, option

FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "[0-9]*_*/pytorch_model.bin"]
"""What is fetched: settings, tokenizer and weights, not the same weights in other libraries' forms."""
OTHER_FORMS = ["onnx/*", "openvino/*"]


@component
class SentenceTransformers:
    """Any model of sentence-transformers, by its name on the Hugging Face hub or as a folder.

    It is fetched on first use and then read from the hub's own cache. Its weights must be safetensors; no code that
    a model brings is run.
    """

    heavy: ClassVar[bool] = True

    model: str = option(default="sentence-transformers/gtr-t5-base", help="its name on the hub, or a folder")
    revision: str = option(default="main", help="its version on the hub: a branch, a tag or a commit")

    def build(self, device: str, precision: str) -> Encoding:
        """
        Raises:
            LvmError: the extra isn't installed; the hub can't be reached, or has no such model; it can't be read.
        """
        own = Path(self.model).expanduser()
        if own.is_dir():
            return SentenceEncoding(own, own.resolve().name, "", device, precision)
        folder = self._fetched()
        return SentenceEncoding(folder, self.model, folder.name, device, precision)

    def _fetched(self) -> Path:
        """The model's folder in the hub's cache, which is named after its commit."""
        hub = needs("huggingface_hub", "encode")
        wanted = {"revision": self.revision, "allow_patterns": FILES, "ignore_patterns": OTHER_FORMS}
        try:
            return Path(hub.snapshot_download(self.model, **wanted))
        except Exception as problem:  # the hub's library has some fifty, of no common kind
            reason = re.split(r"(?<=\.)\s|\n", str(problem).strip())[0]
            raise LvmError(
                f"'{self.model}' is no folder, and cannot be fetched from the Hugging Face hub: {reason}",
                where=f"sentence-transformers:{self.model}",
                expected=f"{self.model} at {self.revision} on the hub, or in its cache (HF_HOME)",
                fix="connect to the hub, or give the folder of a model; minilm and mpnet need no hub",
            ) from problem
