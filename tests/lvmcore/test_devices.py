"""What is computed on another device: nothing of the processor's strays into it, and the figures are the same.

The device is a pretended one, so that it is held on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pretend import DEVICE, Pretend, Stray

from lvmcore.data.corpus import Corpus
from lvmcore.data.open import open_corpus
from lvmcore.evaluation.evaluator import evaluate
from lvmcore.evaluation.measurement import Predictor
from lvmcore.evaluation.predictors import predictor_of_model, yardstick, yardsticks
from lvmcore.evaluation.settings import Settings
from lvmcore.model import build_model
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue

WORLD = "world,articles=20,length=16,dim=20,latent=2"


@pytest.fixture
def pretend() -> Iterator[Pretend]:
    with Pretend() as mode:
        yield mode


@pytest.fixture
def corpus(registry: Registry) -> Corpus:
    return open_corpus(WORLD, registry)


def test_the_pretended_device_refuses_strays_and_counts_waits(pretend: Pretend) -> None:
    there = torch.arange(6.0).view(2, 3).to(DEVICE)
    assert (there.device, (there * 2).sum(0).device) == (DEVICE, DEVICE)
    assert not pretend.waits
    assert (there * 2).sum().item() == 30
    assert there.cpu().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert sum(pretend.waits.values()) == 2
    with pytest.raises(Stray):
        there + torch.ones(3)
    with pytest.raises(Stray):
        there[torch.tensor([0, 1])]
    there.zero_()
    assert there.sum().item() == 0


@pytest.mark.parametrize("room", [1 << 30, 0], ids=["on the device", "sent to it"])
def test_rows_are_given_on_the_device(room: int, corpus: Corpus, pretend: Pretend) -> None:
    there = corpus.on(DEVICE, room)
    index = torch.tensor([[3, 1], [2, 319]])
    rows = there.rows(index)
    assert (rows.device, there.device, corpus.device) == (DEVICE, DEVICE, torch.device("cpu"))
    assert not pretend.waits
    assert torch.equal(rows.cpu(), corpus.rows(index))
    batch = there.windows("train").take(torch.arange(5))
    assert {one.device for one in (batch.context, batch.target, batch.articles, *batch.future(2))} == {DEVICE}
    assert {one.device for one in batch.article_rows(3)} == {DEVICE}


def figures(document: dict[str, object]) -> dict[str, float | None]:
    """Every number of the splits by its path."""
    found: dict[str, float | None] = {}

    def walk(node: object, path: str) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                walk(value, f"{path}/{key}")
        elif isinstance(node, list):
            for number, value in enumerate(node):
                walk(value, f"{path}/{number}")
        elif node is None or isinstance(node, int | float):
            found[path] = node

    walk(document["splits"], "")
    return found


def require_same(here: dict[str, object], there: dict[str, object]) -> None:
    ours, theirs = figures(here), figures(there)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 40
    for path, value in ours.items():
        assert theirs[path] == (value if value is None else pytest.approx(value, abs=1e-6)), path


@pytest.mark.parametrize("protocol", ["5cat,resamples=0", "5cat-2025"])
def test_yardsticks_get_the_same_figures_there(
    protocol: str, corpus: Corpus, registry: Registry, catalogue: Catalogue
) -> None:
    settings = Settings(protocol=protocol, profile="table", keep_yardsticks=False)
    names = [registry.key(found) for found in yardsticks(registry)]
    assert len(names) >= 6
    here = evaluate(yardstick("ridge", corpus, registry), corpus, registry, catalogue, settings).document
    with Pretend():
        other = corpus.on(DEVICE, 1 << 30)
        there = evaluate(yardstick("ridge", other, registry), other, registry, catalogue, settings).document
    require_same(here, there)
    for name in here["yardsticks"]:
        require_same(here["yardsticks"][name], there["yardsticks"][name])
    assert len(here["yardsticks"]) >= (6 if protocol.startswith("5cat,") else 0)


def without_inference(predictor: Predictor) -> Predictor:
    """Views of what is pretended can't be made in torch's inference mode."""

    def predict(context: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(False), torch.no_grad():
            return predictor.predict(context.clone(), target)

    return Predictor(predictor.name, predict)


def test_models_of_every_architecture_get_the_same_figures_there(
    corpus: Corpus, registry: Registry, catalogue: Catalogue
) -> None:
    settings = Settings(protocol="5cat,resamples=0", profile="table")
    inputs = "+".join(found.name for found in registry.all("input"))
    seen = 0
    for found in registry.all("architecture"):
        arch = f"amn+{found.name}" if found.name in ("residual", "anchored") else found.name
        torch.manual_seed(1)
        model = build_model(arch, inputs, corpus.dim, 5, registry, size="toy").eval()
        here = evaluate(predictor_of_model(arch, model), corpus, registry, catalogue, settings).document
        with Pretend():
            other = corpus.on(DEVICE, 1 << 30)
            there = without_inference(predictor_of_model(arch, model.to(DEVICE)))
            require_same(here, evaluate(there, other, registry, catalogue, settings).document)
        seen += 1
    assert seen >= 7


def test_what_a_model_predicts_is_given_where_the_context_was(registry: Registry) -> None:
    model = build_model("amn", "pos:0.03", 12, 5, registry, size="toy").eval()
    context = np.random.default_rng(0).normal(size=(3, 5, 12))
    expected, ahead = model.predict(context), model.rollout(context, 3)
    with Pretend():
        there = model.to(DEVICE)
        assert there.predict(context) == pytest.approx(expected, abs=1e-6)
        assert there.rollout(context, 3) == pytest.approx(ahead, abs=1e-6)
        assert there.predict(torch.tensor(context)).device == torch.device("cpu")
        assert there.predict(torch.tensor(context).to(DEVICE)).device == DEVICE
