"""The systems of the comparison of 2025-11-02 and their published figures, typed a second time from their description.

So that a slip of the pen in registry.toml, or a default that moves, is noticed.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from lvmcore.expression import parse_one
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.variant import Variant

GUARD = "dir:0.002,margin=0.01"
SMOOTH = "mse+smooth-dir,share={}+floor:1e-3+norm:1e-3"

# name: (arch, loss, inputs, batch size, epochs)
RECIPES = {
    "amn-584k-fresh": ("amn", "mse+nce", "", 256, 20),
    "transformer-optimized": ("transformer", "mse", "", 32, 20),
    "amn-790k": ("amn", "mse", "", 256, 20),
    "584k-stable": ("transformer", "mse", "", 64, 20),
    "directional-fix": ("transformer", "mse+dir:0.05,margin=0.05+ac:0.05,margin=0.02", "drop:0.2", 64, 20),
    "v3-directional": (
        "transformer",
        "mse+dir:0.01,margin=0.03,start=4,ramp=7+ac:0.01,margin=0.01,start=4,ramp=7",
        "pos:0.03+drop:0.1",
        64,
        20,
    ),
    "p1": ("transformer", "mse", "", 64, 20),
    "p1-5": ("transformer", "mse", "", 64, 5),
    "p2": ("transformer+residual:0.5", f"mse+{GUARD},start=6+fut:0.002,margin=0.01,start=6", "", 64, 6),
    "p3": ("transformer", f"mse+{GUARD},start=6+fut:0.002,margin=0.008,start=6", "drop:0.05,start=6", 64, 20),
    "p4": (
        "transformer",
        f"mse+roll:0.05,h=3,target=flat,start=4+{GUARD},start=6,adaptive=true+fut:0.002,margin=0.008,start=10"
        "+roll:0.05,h=3,target=flat,start=7",
        "drop:0.05,start=6",
        64,
        20,
    ),
    "p5": ("transformer", "mse", "pos:0.03", 32, 20),
    "p5-retry-005": ("transformer", "mse", "pos:0.05", 32, 20),
    "p5-retry-010": ("transformer", "mse", "pos:0.10", 32, 20),
    "p5.1": (
        "transformer",
        "mse+micro-dir:0.001,ramp=6",
        "last-noise:0.15,sigma=0.03,swap=0.05+pos:0.10,ramp=3",
        64,
        20,
    ),
    "p6b": ("transformer", "mse", "", 64, 12),
    "p7": ("transformer+anchored", "nce+dir:0.5,margin=0.07", "", 64, 20),
    "p8": ("mixture", "listwise+dir:1.0,margin=0.07", "", 64, 20),
    "lstm": ("lstm", "mse", "", 64, 20),
    "gru": ("gru", "mse", "", 64, 20),
}

CURRICULUM = [
    {"epochs": 4, "sampler": "forward:0.3", "gates": "stage-a"},
    {"epochs": 6, "sampler": "forward:0.7", "gates": "stage-b"},
    {"epochs": 10, "sampler": "full", "loss": f"mse+{GUARD},adaptive=true"},
]
STAGES: dict[str, list[dict[str, Any]]] = {
    "p5": CURRICULUM,
    "p5-retry-005": CURRICULUM,
    "p5-retry-010": CURRICULUM,
    "p5.1": [
        {"epochs": epochs, "arch": f"transformer,last_bias={bias}"}
        for epochs, bias in ((1, "0.15"), (1, "0.3"), (1, "0.45"), (17, "0.6"))
    ],
    "p6b": [{"epochs": 3, "loss": SMOOTH.format(share)} for share in ("0.10", "0.15", "0.20", "0.25")],
}

OLD, DIAGNOSTIC = "5cat-2025", "training diagnostic"
# name: protocol, val cos, margin, R@1, R@5, D (VAL, OOD each), gates
REPORTED: dict[str, tuple[Any, ...]] = {
    "amn-584k-fresh": (OLD, 0.412, None, None, None, None, None),
    "transformer-optimized": (OLD, 0.587, (-0.134, -0.138), (0.010, None), (0.181, None), (0.553, None), None),
    "amn-790k": (OLD, 0.461, (-0.002, -0.003), (0.015, None), (0.107, None), (0.034, None), "1/5"),
    "584k-stable": (OLD, 0.558, (-0.166, None), None, None, None, None),
    "directional-fix": (OLD, 0.158, (0.066, None), None, None, None, None),
    "v3-directional": (OLD, 0.354, (-0.132, None), None, None, None, None),
    "p1": (OLD, 0.550, (-0.167, -0.167), (0.0108, 0.0104), (0.2432, 0.2408), (0.486, 0.493), "2/5"),
    "p2": (DIAGNOSTIC, 0.472, (-0.534, None), None, None, None, None),
    "p3": (DIAGNOSTIC, 0.526, (-0.064, None), None, None, None, None),
    "p4": (OLD, 0.338, (-0.149, -0.152), (0.0104, 0.0070), (0.2212, 0.2060), (0.360, 0.408), "2/5"),
    "p5": (OLD, 0.463, (-0.041, -0.046), (0.032, 0.0175), (0.175, 0.109), (0.448, 0.476), "1/5"),
    "p6b": (OLD, None, (-0.047, None), None, None, None, None),
    "p7": (OLD, None, (-0.067, None), None, None, None, None),
    "p8": (OLD, None, (-0.021, None), None, None, None, None),
    "lstm": (OLD, 0.579, (-0.149, None), None, None, None, None),
    "gru": (OLD, 0.592, (-0.124, None), None, None, None, None),
}

SPOILT = [
    ("C", "shuffle", "both", -0.15),
    ("C", "reverse", "both", -0.10),
    ("C", "leave_one_out", "both", -0.08),
    ("C", "repeat", "both", 0.05),
    ("C", "foreign", "both", 0.05),
]
# letter, figure, splits, threshold: at most for C and E, at least for the others
GATES = {
    "strict": [
        ("A", "offsets.+1", "val", 0.50),
        ("A", "offsets.+1", "ood", 0.48),
        ("A", "margin", "val", 0.12),
        ("A", "margin", "ood", 0.10),
        ("B", "all.r1", "val", 0.60),
        ("B", "all.r1", "ood", 0.55),
        ("B", "all.r5", "val", 0.95),
        ("B", "all.r5", "ood", 0.92),
        ("B", "all.mrr", "val", 0.80),
        ("B", "all.mrr", "ood", 0.75),
        *SPOILT,
        ("D", "score", "val", 0.45),
        ("D", "score", "ood", 0.42),
        ("E", "delta", "one", 0.05),
    ],
    "table": [
        ("A", "margin", "both", 0.02),
        ("B", "all.r1", "both", 0.60),
        ("B", "all.r5", "both", 0.60),
        *SPOILT,
        ("D", "score", "both", 0.46),
        ("E", "delta", "one", 0.05),
    ],
    "stage-a": [("A", "margin", "val", 0.02), ("B", "all.r5", "val", 0.60), ("D", "score", "val", 0.46)],
    "stage-b": [("A", "margin", "val", 0.06), ("B", "all.r5", "val", 0.80), ("D", "score", "val", 0.48)],
}

# kind and name → the options where nothing is said
DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("architecture", "transformer"): {"d_model": 512, "heads": 8, "layers": 4, "dropout": 0.1, "norm": "post"},
    ("architecture", "amn"): {"d_model": 256, "hidden": 512},
    ("architecture", "lstm"): {"hidden": 512, "layers": 2, "dropout": 0.2},
    ("architecture", "gru"): {"d_model": 512, "layers": 4, "dropout": 0},
    ("architecture", "residual"): {"alpha": 0.5},
    ("architecture", "anchored"): {"weight": 0.8, "low": 0.6, "high": 0.9},
    ("architecture", "mixture"): {"d_model": 512, "heads": 8, "layers": 4, "dropout": 0.1},
    ("loss", "mse"): {"reduction": "mean"},
    ("loss", "dir"): {"margin": 0.05, "against": "prev", "adaptive": False},
    ("loss", "smooth-dir"): {"gamma": 4, "ratio_margin": 0.05, "alpha": 0.7},
    ("loss", "micro-dir"): {"gamma": 5, "margin": 0.02},
    ("loss", "ac"): {"margin": 0.02},
    ("loss", "fut"): {"margin": 0.008, "rows": 2},
    ("loss", "roll"): {"h": 3, "target": "future"},
    ("loss", "nce"): {"tau": 0.07, "per_article": 16, "mask": True},
    ("loss", "listwise"): {"rows": 30, "tau": 0.07},
    ("schedule", "plateau"): {"patience": 3, "factor": 0.5},
}


def recipe(variant: Variant) -> tuple[Any, ...]:
    return variant.arch, variant.loss, variant.inputs, variant.batch_size, variant.epochs


def test_every_variant_is_the_one_that_was_described(catalogue: Catalogue) -> None:
    others = ("base", "planted", "next", "next-text", "next-transformer")  # of no publication
    own = {name: variant for name, variant in catalogue.variants.items() if name not in others}
    assert {name: recipe(variant) for name, variant in own.items()} == RECIPES
    for name, variant in own.items():
        stages = [attrs.asdict(stage, filter=lambda field, value: value is not None) for stage in variant.stages]
        assert [{k: v for k, v in stage.items() if k != "name"} for stage in stages] == STAGES.get(name, []), name
        assert (variant.lr, variant.weight_decay, variant.clip, variant.best) == (5e-4, 0.01, 1.0, "val_loss")
        assert variant.sampler == "full"
        assert variant.schedule == ("warmup-cosine:1,floor=1e-6" if name == "transformer-optimized" else "plateau")


def test_every_published_figure_is_the_one_that_was_published(catalogue: Catalogue) -> None:
    found = {}
    for name, variant in catalogue.variants.items():
        if (own := variant.reported) and not name.startswith(("p1-", "p5-")):
            pairs = [attrs.astuple(figure) if figure else None for figure in (own.margin, own.r1, own.r5, own.d)]
            found[name] = (own.protocol, own.val_cos, *pairs, own.gates)
    assert found == REPORTED


@pytest.mark.parametrize("profile", GATES)
def test_every_gate_asks_what_was_asked(profile: str, catalogue: Catalogue) -> None:
    splits = {"both": ("val", "ood"), "one": ("both",)}
    wanted = {
        (letter, figure, split): ("<=" if letter in "CE" else ">=", threshold)
        for letter, figure, where, threshold in GATES[profile]
        for split in splits.get(where, (where,))
    }
    found = {(g.letter, g.figure, g.split): (g.rule.sign, g.rule.threshold) for g in catalogue.profile(profile)}
    assert found == wanted


@pytest.mark.parametrize(("kind", "name"), DEFAULTS)
def test_the_defaults_are_those_that_were_described(kind: str, name: str, registry: Registry) -> None:
    made = registry.make(kind, parse_one(name))
    assert {option: getattr(made, option) for option in DEFAULTS[kind, name]} == DEFAULTS[kind, name]
