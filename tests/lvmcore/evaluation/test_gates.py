"""Gate profiles: which letters pass, what is said of those that do not, and which gates are refused beforehand."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvmcore.errors import LvmError
from lvmcore.evaluation.checks import checks_of, declared_of
from lvmcore.evaluation.evaluator import profile_of
from lvmcore.evaluation.figures import Declared, Figure
from lvmcore.evaluation.judgement import Judgement, judge, unknown_figures
from lvmcore.evaluation.protocols import protocol_of
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry
from lvmcore.variants.catalogue import Catalogue
from lvmcore.variants.gates import Gate, parse_rule

REGISTRY = Registry(Plugins(only=()))
DECLARED = declared_of(checks_of(protocol_of("5cat", REGISTRY).protocol, REGISTRY, 5))


def judged(gates: list[Gate], measured: dict[str, Any]) -> Judgement:
    return judge("p", gates, measured, DECLARED)


def figure(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def document(**changes: Any) -> dict[str, Any]:
    """Figures of one split, VAL and OOD alike."""
    split = {
        "cosine": figure(0.5, 0.4, 0.6),
        "A": {"margin": figure(-0.07, -0.09, -0.05), "offsets": {"+1": figure(0.5)}, "direction": figure(None)},
        "B": {"all": {"r1": figure(0.6)}, "unseen": None},
        "E": {"low": {"gain": figure(None), "windows": 0}, "high": {"gain": figure(0.1, -0.1, 0.3), "windows": 9}},
    }
    return {"splits": {"val": split, "ood": split}, "E_delta": figure(0.02), **changes}


def gate(letter: str, name: str, rule: str, split: str = "val") -> Gate:
    return Gate(letter, name, split, parse_rule(rule))


@pytest.mark.parametrize(
    ("one", "outcome", "why"),
    [
        (gate("A", "margin", ">= 0.12"), False, "margin VAL -0.070: needs ≥ 0.12"),
        (gate("A", "margin", ">= -0.07", "ood"), True, None),
        (gate("A", "margin", "<= -0.0700001"), False, "margin VAL -0.0700000: needs ≤ -0.0700001"),
        (gate("A", "margin", "interval < 0"), True, None),
        (gate("A", "margin", "interval > 0"), False, "margin VAL -0.090 … -0.050: not all above 0"),
        (gate("A", "margin", "interval not < 0"), False, "margin VAL -0.090 … -0.050: all below 0"),
        (gate("A", "offsets.+1", "interval > 0"), None, "s(+1) VAL 0.500: no interval"),
        (gate("A", "direction", "interval > 0"), None, "direction VAL –: not measurable"),
        (gate("B", "all.r1", ">= 0.60"), True, None),
        (gate("B", "unseen.r5", ">= 0.1"), None, "R@5 unseen VAL –: needs ≥ 0.1; not measurable"),
        (gate("A", "margin", ">= 0", "train"), None, "margin TRAIN –: needs ≥ 0; not evaluated"),
        (gate("E", "delta", "<= 0.05", "both"), True, None),
        (gate("E", "high.gain", "interval not < 0"), True, None),
        (gate("A", "cosine", "beats cheats"), None, "cosine VAL 0.500: no interval"),
    ],
)
def test_one_gate(one: Gate, outcome: bool | None, why: str | None) -> None:
    found = judged([one], document())
    assert found.letters == {one.letter: outcome}
    assert found.why.get(one.letter) == why
    assert found.passed == (outcome is True)


def test_an_empty_bin_is_passed_over_unless_all_are_empty() -> None:
    low, high = gate("E", "low.gain", "interval not < 0"), gate("E", "high.gain", "interval not < 0")
    assert judged([low, high], document()).letters == {"E": True}
    nothing = judged([low], document())
    assert (nothing.letters, nothing.why) == ({"E": None}, {"E": "nothing to measure"})


def test_it_must_beat_every_cheat() -> None:
    paired = {"copy-last": {"A.cosine": figure(0.1, 0.05, 0.15)}, "ridge": {"A.cosine": figure(0.01, -0.01, 0.03)}}
    found = judged([gate("A", "cosine", "beats cheats")], document(differences={"val": paired}))
    assert found.why == {"A": "cosine VAL 0.500: not above ridge"}
    paired["ridge"]["A.cosine"] = figure(0.01, 0.001, 0.03)
    assert judged([gate("A", "cosine", "beats cheats")], document(differences={"val": paired})).letters["A"] is True


@given(st.lists(st.sampled_from([">= -1", ">= 1", "interval > 0"]), min_size=1, max_size=5))
def test_a_letter_passes_with_all_its_gates_and_fails_with_one(rules: list[str]) -> None:
    measurable = {">= -1": True, ">= 1": False, "interval > 0": None}  # of a figure without an interval
    outcomes = [measurable[rule] for rule in rules]
    expected = False if False in outcomes else None if None in outcomes else True
    names = ("r1", "r5", "mrr", "chance_r1", "chance_r5")
    held = {"B": {"all": {name: figure(0.6) for name in names}}}
    gates = [gate("B", f"all.{name}", rule) for name, rule in zip(names, rules, strict=False)]
    found = judged(gates, {"splits": {"val": held}})
    assert found.letters == {"B": expected}
    unmet = [rule for rule in rules if measurable[rule] is not True]
    assert found.why.get("B", "").count(" VAL ") == len(unmet)  # a reason a figure


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (gate("A", "margn", ">= 0"), "unknown figure 'margn'; did you mean 'margin'"),
        (gate("A", "windows", ">= 0"), "unknown figure 'windows'"),
        (gate("A", "offsets.+9", ">= 0"), "unknown figure 'offsets.+9'"),
        (gate("D", "curve", ">= 0"), "unknown figure 'curve'"),
        (gate("B", "r1", ">= 0"), "unknown figure 'r1'"),
        (gate("F", "recent", ">= 0"), "unknown test 'F'"),
        (gate("A", "margin", ">= 0", "both"), "one of each split"),
        (gate("E", "delta", ">= 0", "val"), "compares the two splits"),
        (gate("A", "margin", "beats cheats"), "is not measured for this figure"),
    ],
)
def test_a_gate_about_nothing_is_refused(one: Gate, said: str) -> None:
    (problem,) = unknown_figures("p", [one, one], DECLARED)
    assert said in problem.what
    assert problem.where == f"gates.p.{one.letter}.{one.figure}"
    plugged = DECLARED | {"F.recent": Declared("F", Figure("recent"))}
    assert not unknown_figures("p", [gate("F", "recent", ">= 0")], plugged)


def test_every_gate_about_nothing_is_named_at_once(catalogue: Catalogue, registry: Registry) -> None:
    catalogue = attrs.evolve(
        catalogue, profiles={"odd": (gate("A", "margn", ">= 0"), gate("A", "margin", ">= 0"), gate("B", "r1", ">= 0"))}
    )
    with pytest.raises(LvmError) as caught:
        profile_of("odd", catalogue, registry, 5)
    assert "'margn'" in str(caught.value)
    assert "gates.odd.B.r1: unknown figure 'r1'" in str(caught.value)


def test_every_profile_asks_for_figures_that_there_are(catalogue: Catalogue, registry: Registry) -> None:
    assert len(catalogue.profiles) >= 5
    for name in catalogue.profiles:
        assert profile_of(name, catalogue, registry, 5)
