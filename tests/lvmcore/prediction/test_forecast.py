"""What follows a text: the chunks that are found, what is left out, and what is refused."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import torch

from lvmcore import Lab
from lvmcore.errors import LvmError
from lvmcore.expression import parse_one

STORY = [f"In chapter {n} the traveller walked from town {n} to town {n + 1}, and met a {what}." for n, what in
         enumerate(["smith", "priest", "miller", "sailor", "thief", "queen", "baker", "monk"] * 4)]  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.chdir(tmp_path)
    for name in "abcd":
        Path(f"{name}.txt").write_text("\n\n".join(f"{name}: {line}" for line in STORY))
    lab = Lab(progress=False)
    lab.corpora.build("tales", list(map("{}.txt".format, "abcd")), encoder="hash:128", chunker="paragraphs")
    return lab


def test_copy_last_finds_what_is_nearest_to_the_last_chunk(lab: Lab) -> None:
    text = "\n\n".join(f"a: {line}" for line in STORY[:9])
    found = lab.predict("copy-last", text, "tales.safetensors", nearest=3)
    assert found.context == tuple(f"a: {line}" for line in STORY[4:9])
    corpus = lab.corpus("tales.safetensors")
    last = next(row for row, held in enumerate(corpus.texts or ()) if held == found.context[-1])
    own = [row for row, held in enumerate(corpus.texts or ()) if held in found.context]
    cosines = corpus.rows(torch.arange(len(corpus))) @ corpus.rows(torch.tensor(last))
    cosines[own] = -2
    expected = cosines.topk(3)
    assert [one.row for one in found.steps[0]] == expected.indices.tolist()
    assert [one.cosine for one in found.steps[0]] == pytest.approx(expected.values.tolist(), abs=1e-5)
    best = found.steps[0][0]
    assert corpus.texts
    assert best.text == corpus.texts[best.row]
    assert best.row == int(corpus.starts[best.article]) + best.chunk
    assert best.title == corpus.info.titles[best.article]


def test_steps_are_the_rollout_of_the_model(lab: Lab) -> None:
    run = lab.train(arch="amn", data="tales.safetensors", size="toy", epochs=1)
    Path("new.txt").write_text("\n\n".join(STORY[:6]))
    found = lab.predict(run, Path("new.txt"), steps=3)
    corpus = lab.corpus("tales.safetensors")
    encoder = lab.registry.make("encoder", parse_one("hash:128")).build("cpu", "fp32")
    context = torch.from_numpy(encoder.encode(found.context))
    torch.testing.assert_close(found.vectors, lab.load(run).rollout(context, 3), rtol=0, atol=1e-5)
    assert [len(step) for step in found.steps] == [5, 5, 5]
    assert len(found.document()["steps"][0]["vector"]) == corpus.dim


def test_without_texts_article_and_row_are_told(lab: Lab) -> None:
    corpus = lab.corpus("tales.safetensors")
    corpus.texts = None
    corpus.info = attrs.evolve(corpus.info, titles=())
    one = lab.predict("filter", "\n\n".join(STORY), corpus).steps[0][0]
    assert (one.text, one.title) == (None, "")
    assert 0 <= one.chunk < len(STORY)


def test_what_cannot_be_answered_is_refused(lab: Lab) -> None:
    with pytest.raises(LvmError, match="the text gives 2 chunks by paragraphs"):
        lab.predict("copy-last", "one\n\ntwo", "tales.safetensors")
    with pytest.raises(LvmError, match="sees the target"):
        lab.predict("oracle", "\n\n".join(STORY), "tales.safetensors")
    with pytest.raises(LvmError, match="width 64, the corpus holds width 128"):
        lab.predict("copy-last", "\n\n".join(STORY), "tales.safetensors", encoder="hash:64")
    corpus = lab.corpus("tales.safetensors")
    corpus.info = attrs.evolve(corpus.info, encoder_term="", chunking="by hand")
    with pytest.raises(LvmError, match="does not say what encodes"):
        lab.predict("copy-last", "\n\n".join(STORY), corpus)
    found = lab.predict("copy-last", " ".join(STORY), corpus, encoder="hash:128")
    assert found.notes == ("the corpus was cut by 'by hand', the text is cut by sentences:40",)
