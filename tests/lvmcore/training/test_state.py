"""A run that is stopped anywhere and gone on with ends as if it had never stopped, to the bit."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from resuming import Stopper, require_equal, stopped_and_resumed
from training import train

from lvmcore.data.corpus import Corpus
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.testing.promises import wraps
from lvmcore.variants.catalogue import Catalogue, default_files, load_catalogue
from lvmcore.variants.variant import Stage, Variant

WHOLE = os.environ.get("LVM_WHOLE_PRODUCT") == "1"
"""Every architecture with every sampler and every input in both precisions, and not each component once."""

Case = dict[str, str]
REGISTRY = Registry(Plugins(only=()))


def names(kind: str) -> list[str]:
    return [found.name for found in REGISTRY.all(kind)]


def architectures() -> list[str]:
    found = REGISTRY.all("architecture")
    return [f"amn+{one.name}" if wraps(one.component) else one.name for one in found]


def cases() -> Iterator[Case]:
    """Each component at least once; or the whole product of what the model and the windows are."""
    inputs, samplers = (
        ["", *names("input")],
        [f"{name}:0.3" if name == "forward" else name for name in names("sampler")],
    )
    if WHOLE:
        product = itertools.product(architectures(), samplers, inputs, ["fp32", "bf16"])
        yield from ({"arch": a, "sampler": s, "inputs": i, "precision": p} for a, s, i, p in product)
        return
    losses = ["mse", *(f"mse+{name}:0.1" for name in names("loss") if name != "mse")]
    kinds = {
        "arch": architectures(),
        "sampler": samplers,
        "inputs": ["+".join(inputs[1:]), *inputs],
        "loss": losses,
        "schedule": names("schedule"),
        "optimizer": names("optimizer"),
        "precision": ["fp32", "bf16", "fp32"],
    }
    for number in range(max(map(len, kinds.values()))):
        yield {key: held[number % len(held)] for key, held in kinds.items()}


CASES = list(cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(filter(None, case.values())))
def test_what_is_stopped_and_resumed_ends_as_in_one_go(
    case: Case, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {key: value for key, value in case.items() if key != "precision"}
    variant = attrs.evolve(variant, batch_size=10, **changed)
    stopper = Stopper(monkeypatch)
    _, whole, _ = train(variant, corpus, registry, tmp_path, listener=lambda _: stopper, precision=case["precision"])
    resumed = stopped_and_resumed(
        variant, corpus, registry, tmp_path, stopper, stopper.done, precision=case["precision"]
    )
    require_equal(resumed, whole)


def test_every_component_is_stopped_at_least_once() -> None:
    joined = ["+".join(case.values()).replace(":", "+").split("+") for case in CASES]
    seen = {name for words in joined for name in words}
    kinds = ("architecture", "sampler", "input") if WHOLE else (
        "architecture", "sampler", "input", "loss", "schedule", "optimizer"
    )  # fmt: skip
    assert {name for kind in kinds for name in names(kind)} <= seen


STAGED = ["p5", "p5.1", "p6b"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", STAGED)
def test_a_staged_variant_is_resumed_in_and_between_its_stages(
    name: str, seed: int, catalogue: Catalogue, corpus: Corpus, registry: Registry, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    variant = catalogue.variant(name).override({"epochs": 5, "batch_size": 16, "lr": 3e-3})
    stopper = Stopper(monkeypatch)
    judged: list[str] = []

    def gate(model: object, profile: str) -> str:
        stopper.tick()
        judged.append(profile)
        return ""

    _, whole, _ = train(variant, corpus, registry, tmp_path, gate, listener=lambda _: stopper)
    resumed = stopped_and_resumed(variant, corpus, registry, tmp_path, stopper, stopper.done, gate=gate, seed=seed)
    require_equal(resumed, whole)


def test_the_tests_stop_everywhere() -> None:
    """Of what is staged there is something, and its stages differ in what makes resuming hard."""
    variants = load_catalogue(default_files()).variants
    assert all(variants[name].stages for name in STAGED)
    assert any(stage.arch for stage in variants["p5.1"].stages)
    assert any(stage.gates for stage in variants["p5"].stages)


@pytest.mark.parametrize("schedule", ["plateau", "constant", "warmup-cosine:1"])
@pytest.mark.parametrize("choice", ["continue", "rollback", "stop"])
def test_a_run_that_collapses_is_resumed_before_and_after(
    choice: str, schedule: str, variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    variant = attrs.evolve(
        variant, schedule=schedule, epochs=5, lr=1e-2, loss="mse+norm:30,start=3,stop=3+dir:300,start=3,stop=3"
    )
    stopper = Stopper(monkeypatch)
    _, whole, _ = train(variant, corpus, registry, tmp_path, listener=lambda _: stopper, on_collapse=choice)
    assert "collapsed" in str(whole.epochs[2]["events"])
    resumed = stopped_and_resumed(variant, corpus, registry, tmp_path, stopper, stopper.done, on_collapse=choice)
    require_equal(resumed, whole)
    assert len(resumed.epochs) == (3 if choice == "stop" else 5)


def test_a_run_ends_by_patience_though_it_is_stopped(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = attrs.evolve(variant, patience=2, epochs=12, lr=0.1)
    stopper = Stopper(monkeypatch)
    _, whole, _ = train(variant, corpus, registry, tmp_path, listener=lambda _: stopper, on_collapse="continue")
    assert len(whole.epochs) < 12
    resumed = stopped_and_resumed(variant, corpus, registry, tmp_path, stopper, stopper.done, on_collapse="continue")
    require_equal(resumed, whole)


def test_courses_of_several_stages_are_resumed(
    variant: Variant, corpus: Corpus, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = (
        Stage(name="A", epochs=1, schedule="warmup-cosine:0.5"),
        Stage(name="B", epochs=1, batch_size=4),
        Stage(name="C", epochs=1, lr=1e-3, arch="transformer,last_bias=0.5", inputs="drop:0.2"),
        Stage(name="D", epochs=2, schedule="warmup-cosine:1", lr=2e-3, sampler="weighted"),
    )
    variant = attrs.evolve(variant, stages=stages, epochs=5, inputs="drop:0.1")
    stopper = Stopper(monkeypatch)
    _, whole, _ = train(variant, corpus, registry, tmp_path, listener=lambda _: stopper)
    for seed in range(3):
        resumed = stopped_and_resumed(variant, corpus, registry, tmp_path, stopper, stopper.done, stops=6, seed=seed)
        require_equal(resumed, whole)
