"""Every named variant, carried out at toy size over all of its epochs and stages."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from training import train

from lvmcore.data.corpus import Corpus
from lvmcore.expression import parse, parse_one
from lvmcore.registry import Registry
from lvmcore.training.objective import Objective
from lvmcore.variants.catalogue import Catalogue, default_files, load_catalogue
from lvmcore.variants.variant import Variant

NAMES = list(load_catalogue(default_files()).variants)


def test_every_row_of_the_comparison_is_a_variant_and_what_followed_it_too() -> None:
    rows = ["amn-584k-fresh", "transformer-optimized", "amn-790k", "584k-stable", "directional-fix", "v3-directional"]
    rows += ["p1", "p2", "p3", "p4", "p5"]
    followed = ["p5-retry-005", "p5-retry-010", "p5.1", "p6b", "p7", "p8", "p1-5", "lstm", "gru", "planted"]
    own = ["next", "next-text", "next-transformer"]
    assert sorted(NAMES) == sorted(["base", *rows, *followed, *own])


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_runs_through_all_its_stages(
    name: str, catalogue: Catalogue, corpus: Corpus, registry: Registry, tmp_path: Path
) -> None:
    variant = catalogue.variant(name)
    outcome, run, trainer = train(variant, corpus, registry, tmp_path, on_collapse="continue")
    assert outcome.status == "finished"
    epochs = run.epochs
    assert len(epochs) == variant.epochs
    number = 0
    for stage in variant.plan:
        objective = Objective.of(stage.loss or variant.loss, registry)
        sampler = registry.make("sampler", parse_one(stage.sampler or variant.sampler)).build(trainer.train_windows)
        for _ in range(stage.epochs):
            record, number = epochs[number], number + 1
            assert (record["epoch"], record["stage"]) == (number, stage.name)
            assert record["windows"] == len(sampler(number, torch.Generator()))
            strengths = {label: term["strength"] for label, term in record["terms"].items()}
            assert strengths == {t.label: t.timing.strength(number) for t in objective.active(number)}
            assert all(
                math.isfinite(term["raw"]) and math.isfinite(term["gradient"]) for term in record["terms"].values()
            )
            assert math.isfinite(record["val_cos"])
    assert outcome.model is not None


def labels(variant: Variant, epoch: int, registry: Registry) -> list[str]:
    return [term.label for term in Objective.of(variant.loss, registry).active(epoch)]


def test_a_second_rollout_is_called_so(catalogue: Catalogue, registry: Registry) -> None:
    p4 = catalogue.variant("p4")
    assert labels(p4, 3, registry) == ["mse"]
    assert labels(p4, 4, registry) == ["mse", "roll"]
    assert labels(p4, 20, registry) == ["mse", "roll", "dir", "fut", "roll#2"]


def test_the_stages_are_those_of_the_published_runs(catalogue: Catalogue, registry: Registry) -> None:
    p5, p51, p6b = (catalogue.variant(name).plan for name in ("p5", "p5.1", "p6b"))
    assert [(s.epochs, s.sampler, s.gates) for s in p5] == [
        (4, "forward:0.3", "stage-a"),
        (6, "forward:0.7", "stage-b"),
        (10, "full", None),
    ]
    assert [(s.epochs, s.arch) for s in p51] == [
        (epochs, f"transformer,last_bias={bias}") for epochs, bias in ((1, 0.15), (1, 0.3), (1, 0.45), (17, 0.6))
    ]
    assert [(s.epochs, registry.resolve("loss", parse(s.loss or "").terms[1]).shared.share) for s in p6b] == [
        (3, 0.1),
        (3, 0.15),
        (3, 0.2),
        (3, 0.25),
    ]
