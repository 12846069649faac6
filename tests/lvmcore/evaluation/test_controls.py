"""The evaluator under test, the five statements of its page: a perfect predictor passes, a cheat fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lvmcore.data.open import open_corpus
from lvmcore.evaluation.cache import YardstickCache
from lvmcore.evaluation.checks import Check
from lvmcore.evaluation.controls import Control, Controls, Documents
from lvmcore.evaluation.evaluator import CAUSAL, evaluate
from lvmcore.evaluation.fivecat.offsets import OffsetSweep
from lvmcore.evaluation.measurement import columns_of, evaluation_windows, statistics_of
from lvmcore.evaluation.predictors import yardstick
from lvmcore.evaluation.settings import Settings
from lvmcore.registry import Registry
from lvmcore.toolkit import Lab
from lvmcore.variants.catalogue import Catalogue

WORLD = "world,articles=200,length=40,dim=128,latent=32"
EASY = "world,articles=100,length=40,dim=64,latent=12,topic=0.65,seed=2"
"""A world that a small transformer learns in seconds."""
SMALL = {"arch": "transformer:64,heads=4,layers=2,dropout=0,norm=pre", "batch_size": 32, "data": EASY}


@pytest.fixture(scope="module", autouse=True)
def _one_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The yardsticks of a corpus are measured once for this file, and not in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LVM_CACHE", str(tmp_path_factory.mktemp("yardsticks")))
        yield


@pytest.fixture(scope="module")
def controls(registry: Registry, catalogue: Catalogue) -> Controls:
    return Controls(registry, catalogue)


@pytest.fixture(scope="module")
def text(controls: Controls) -> Documents:
    return controls.documents("wiki", controls.oracle)


@pytest.fixture(scope="module")
def world(controls: Controls) -> Documents:
    return controls.documents(WORLD, controls.law)


def held(control: Control) -> None:
    assert control.ok, control


def test_the_controls_measure_everything_anew(
    controls: Controls, registry: Registry, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(cache: YardstickCache, *_: object) -> None:
        raise AssertionError("a yardstick of another evaluation was asked for or kept")

    for name in ("read", "write"):
        monkeypatch.setattr(YardstickCache, name, kept)
    found = controls.documents(controls.world("small"), controls.oracle)
    assert set(found) >= {"oracle", "copy-last", "random"}
    corpus = open_corpus(controls.world("small"), registry)
    with pytest.raises(AssertionError):
        evaluate(yardstick("oracle", corpus, registry), corpus, registry, catalogue, Settings())


# --- 1. the oracle


def test_the_oracle_passes_on_text_and_on_a_world(controls: Controls, text: Documents, world: Documents) -> None:
    held(controls.oracle_passes("text", text))
    held(controls.oracle_passes("a world", world))


def test_the_oracle_passes_b_d_and_e_of_causal_on_text_and_has_no_direction(text: Documents) -> None:
    oracle = text["oracle"]
    assert [oracle[CAUSAL][letter] for letter in "ABCDE"] == [None, True, None, True, True]
    assert all(split["A"]["direction"]["value"] is None for split in oracle["splits"].values())


# --- 2. the cheats


def test_cheats_fail_a_and_b_on_text_and_on_worlds(controls: Controls, text: Documents, world: Documents) -> None:
    for name, found in (("text", text), ("a world", world)):
        for control in controls.cheats_fail(name, found):
            held(control)


def test_cheats_look_neither_way_on_text_and_on_worlds(registry: Registry) -> None:
    for data in ("wiki", "kjv", "factbook", "world,seed=3", f"{WORLD},seed=1", f"{WORLD},fold=true"):
        corpus = open_corpus(data, registry)
        filtered = yardstick("filter", corpus, registry)
        for name in ("copy-last", "context-mean", "filter"):
            predictor = filtered if name == "filter" else yardstick(name, corpus, registry)
            for split, windows in evaluation_windows(corpus, ("val", "ood"), 5).items():
                columns = columns_of(predictor, windows, [Check(OffsetSweep(), 5)], filter=filtered.predict)
                assert abs(statistics_of(columns, windows).value("A/direction")) <= 0.006, (data, name, split)


# --- 3. who knows the dynamics


@pytest.mark.parametrize("seed", [1, 2])
def test_the_predictor_that_knows_the_dynamics_passes_everything(controls: Controls, seed: int) -> None:
    documents = controls.documents(f"{WORLD},seed={seed}", controls.law, beside=False)
    held(controls.law_passes(documents))


def test_a_small_transformer_passes_where_there_is_a_signal_and_not_where_there_is_none(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path, progress=False)
    passed = {}
    for signal, epochs in ((0.72, 8), (0, 1)):
        run = lab.train("planted", **{**SMALL, "data": f"{EASY},signal={signal}"}, epochs=epochs)
        evaluation = run.evaluation
        assert evaluation is not None
        passed[signal] = [letter for letter in "ABCDE" if evaluation.gates[letter]]
    assert passed[0.72] == [*"ABCDE"]
    assert "A" not in passed[0]
    assert "B" not in passed[0]


# --- 4. no signal, and the wrong way


def test_without_a_signal_nobody_passes_a_but_the_oracle(controls: Controls) -> None:
    held(controls.nothing_to_know(controls.documents(f"{WORLD},signal=0", controls.law)))


def test_on_a_reversed_world_direction_changes_its_sign(controls: Controls, world: Documents) -> None:
    mirrored = controls.documents(f"{WORLD},reverse=true", controls.law, beside=False)
    held(controls.direction_turns(world, mirrored))


# --- 5. independence


def test_figures_depend_neither_on_the_batch_nor_on_the_order_nor_on_the_precision(controls: Controls) -> None:
    found = list(controls.independence())
    assert len(found) == 3
    for control in found:
        held(control)


# --- the controls under test


def test_a_control_fails_when_its_statement_does(controls: Controls, text: Documents, world: Documents) -> None:
    impostor = {**text, "oracle": text["copy-last"]}
    assert not controls.oracle_passes("text", impostor).ok
    cheats = list(controls.cheats_fail("text", {**text, "random": text["oracle"]}))
    assert [control.ok for control in cheats] == [True, True, False, False]
    assert not controls.cheats_look_nowhere("a world", {**world, "copy-last": world["ridge"]}).ok
    assert not controls.law_passes({**world, "dynamics": world["context-mean"]}).ok
    assert not controls.nothing_to_know(world).ok
    assert not controls.direction_turns(world, world).ok
