"""registry.toml: variants, stages and gate profiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from conftest import Lvm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvmcore.errors import LvmError
from lvmcore.expression import parse, parse_one
from lvmcore.model import build_model
from lvmcore.registry import Registry
from lvmcore.training.objective import Objective
from lvmcore.training.validation import mistakes
from lvmcore.variants.catalogue import Catalogue, default_files, load_catalogue
from lvmcore.variants.gates import parse_rule
from lvmcore.variants.published import BySplit, Reported
from lvmcore.variants.variant import Stage, Variant


def load(tmp_path: Path, text: str) -> Catalogue:
    file = tmp_path / "registry.toml"
    file.write_text(text)
    return load_catalogue([*default_files(), file])


def test_every_variant_names_components_that_exist(catalogue: Catalogue, registry: Registry) -> None:
    for variant in catalogue.variants.values():
        for stage in variant.plan:
            build_model(stage.arch or variant.arch, stage.inputs or variant.inputs, 8, 5, registry, "toy")
            Objective.of(stage.loss or variant.loss, registry)
            registry.make("sampler", parse_one(stage.sampler or variant.sampler))
            registry.make("schedule", parse_one(stage.schedule or variant.schedule))
            catalogue.profile(stage.gates or variant.gates)
        assert parse(variant.data)
    assert len(catalogue.variants) >= 21
    assert {"strict", "table", "stage-a", "stage-b", "causal"} <= set(catalogue.profiles)


def test_the_common_settings_are_inherited_and_a_chain_is_followed(tmp_path: Path) -> None:
    found = load(tmp_path, '[variants.a]\nlr = 1e-3\n[variants.b]\nextends = "a"\nepochs = 3\nloss = "mse+dir:0.1"')
    b = found.variant("b")
    assert (b.lr, b.epochs, b.loss, b.batch_size, b.weight_decay, b.clip) == (1e-3, 3, "mse+dir:0.1", 64, 0.01, 1.0)


def test_all_mistakes_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(LvmError) as caught:
        load(
            tmp_path,
            """
            [variants.a]
            epohcs = 3
            [variants.b]
            lr = "fast"
            batch_size = 0
            [variants.c]
            extends = "p11"
            [variants.d]
            clip = 0
            [gates.g]
            A.margin = "> 0.02"
            [typo]
            """,
        )
    said = caught.value.what
    for part in (
        "variants.a: unknown key 'epohcs', did you mean 'epochs'",
        "variants.b: lr: 'fast' is no float",
        "'batch_size' must be >= 1",
        "variants.c: extends 'p11', which is unknown; did you mean 'p1'",
        "variants.d",
        "gates.g.A.margin: '> 0.02' is no condition",
        "unknown tables: typo",
    ):
        assert part in said
    assert "registry.toml" in (caught.value.where or "")


def test_figures_are_kept_with_the_protocol_they_were_measured_by(catalogue: Catalogue, tmp_path: Path) -> None:
    p1, p2, p5 = (catalogue.variant(name).reported for name in ("p1", "p2", "p5"))
    assert p1
    assert p2
    assert p5
    assert (p1.protocol, p1.val_cos, p1.margin, p1.gates) == ("5cat-2025", 0.55, BySplit(-0.167, -0.167), "2/5")
    assert (p2.protocol, p2.margin) == ("training diagnostic", BySplit(-0.534))
    assert p5.r1 == BySplit(0.032, 0.0175)
    assert catalogue.variant("p5-retry-005").reported is None, "figures are not inherited"
    found = load(tmp_path, '[variants.a]\nreported = { protocol = "5cat", d = { ood = 0.4 }, margin = 0.1 }')
    assert found.variant("a").reported == Reported(protocol="5cat", d=BySplit(ood=0.4), margin=BySplit(0.1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ val_cos = 0.5 }", "reported.protocol: the key 'protocol' is missing"),
        ('{ protocol = "5cat", r5 = 24.3 }', "'val' must be <= 2"),
        ('{ protocol = "5cat", gates = "two" }', "'gates' must match regex"),
        ('{ protocol = "5cat", margn = 0.1 }', "unknown key 'margn', did you mean 'margin'"),
        ('{ protocol = "5cat", margin = "big" }', "reported.margin.val: 'big' is no float"),
        ('{ protocol = "5cat", margin = { test = 0.1 } }', "unknown key 'test'"),
        ("3", "reported"),
    ],
)
def test_a_mistake_in_the_figures_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(LvmError) as caught:
        load(tmp_path, f"[variants.a]\nreported = {text}")
    assert "variants.a: " in caught.value.what
    assert said in caught.value.what


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["", "mse", "p1", "base", "9"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "epochs", "x"]), inner),
    max_leaves=4,
).filter(lambda value: value is not None)
KEYS = [field.name for field in attrs.fields(Variant)]


def toml(value: Any) -> str:
    """TOML of a value, inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return f"[{', '.join(toml(item) for item in value if item is not None)}]"
    return (
        str(value).lower() if isinstance(value, bool) else json.dumps(value) if isinstance(value, str) else str(value)
    )


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables=st.dictionaries(st.sampled_from([*KEYS, "extends", "replace"]), ANYTHING, min_size=1, max_size=2))
def test_whatever_a_variant_holds_it_is_read_or_named_as_a_mistake(tmp_path: Path, tables: dict[str, Any]) -> None:
    try:
        variant = load(tmp_path, f"[variants]\na = {toml(tables)}").variant("a")
    except LvmError as problem:
        assert "variants.a" in problem.what  # noqa: PT017 – either outcome is right
    else:
        assert sum(stage.epochs for stage in variant.plan) == variant.epochs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("variants = 3", r"variants: tables \[variants.NAME\] were expected"),
        ("[[gates]]\nA = 1", r"gates: tables \[gates.NAME\] were expected"),
        ("[variants]\na = 3", "variants.a: a table was expected"),
        ("[variants.a]\nstages = 3", "variants.a: stages: tables"),
        ('[variants.a]\nstages = "abc"', "variants.a: stages: tables"),
        ('[[variants.a.stages]]\nname = "A"\nepochs = "3"', r"stages\[0\].epochs: '3' is no int"),
        ('[[variants.a.stages]]\nname = "A"\nepohs = 3\nepochs = 3', "'epohs', did you mean 'epochs'"),
        ('[[variants.a.stages]]\nname = "A"\nepochs = 0', "'epochs' must be >= 1"),
        ('[variants.a]\nextends = ["p1"]', "which is unknown"),
        ("[variants.a]\nlr = inf", "'lr' must be < inf"),
        ("[variants.a]\nlr = nan", "'lr' must be > 0"),
        ("[gates.g]\nA = 3", "gates.g.A: a table of figures was expected"),
        ('[gates.g]\nA.margin = { train = ">= 1" }', "'train' is no split: val, ood or both"),
        ('[gates.g]\nA.margin = "about 3"', "'about 3' is no condition; expected"),
        ("[variants.a", "the file is no TOML"),
    ],
)
def test_a_mistake_in_a_file_names_its_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LvmError, match=said) as caught:
        load(tmp_path, text)
    assert "registry.toml" in (caught.value.where or "")


def test_what_replaces_a_variant_replaces_it_for_all_that_extend_it(tmp_path: Path) -> None:
    text = '[variants.p1]\nreplace = true\nlr = 1e-2\n[variants.child]\nextends = "p1"\nepochs = 2'
    found = load(tmp_path, text)
    assert (found.variant("child").lr, found.variant("child").epochs) == (1e-2, 2)


def test_a_child_inherits_stages_unless_it_gives_epochs_of_its_own(tmp_path: Path) -> None:
    parent = '[variants.s]\ntitle = "S"\n[[variants.s.stages]]\nname = "A"\nepochs = 4\n'
    found = load(tmp_path, parent + '[variants.a]\nextends = "s"\n[variants.b]\nextends = "s"\nepochs = 9')
    assert [stage.name for stage in found.variant("a").stages] == ["A"]
    assert found.variant("a").epochs == 4
    assert (found.variant("b").stages, found.variant("b").epochs) == ((), 9)
    assert found.variant("a").title == ""  # what the parent was called is not inherited


def test_a_variant_that_extends_itself_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LvmError, match="extends itself by way of a → b → a"):
        load(tmp_path, '[variants.a]\nextends = "b"\n[variants.b]\nextends = "a"')


def test_a_name_met_twice_is_an_error_unless_it_says_replace(tmp_path: Path) -> None:
    with pytest.raises(LvmError, match=r"variants\.p1: already defined"):
        load(tmp_path, "[variants.p1]\nepochs = 3")
    assert load(tmp_path, "[variants.p1]\nreplace = true\nepochs = 3").variant("p1").epochs == 3


def test_stages_sum_to_the_epochs_of_the_variant(tmp_path: Path) -> None:
    text = (
        '[variants.s]\n[[variants.s.stages]]\nname = "A"\nepochs = 4\n[[variants.s.stages]]\nname = "B"\nepochs = 6\n'
    )
    assert load(tmp_path, text).variant("s").epochs == 10
    with pytest.raises(LvmError, match="the stages hold 10 epochs, not 12"):
        load(tmp_path, text.replace("[variants.s]", "[variants.s]\nepochs = 12"))


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5), epochs=st.integers(1, 60))
def test_epochs_of_the_command_line_scale_the_stages(lengths: list[int], epochs: int) -> None:
    base = load_catalogue(default_files()).variant("base")
    stages = tuple(Stage(name=str(i), epochs=n) for i, n in enumerate(lengths))
    scaled = attrs.evolve(base, stages=stages, epochs=sum(lengths)).override({"epochs": epochs})
    assert sum(stage.epochs for stage in scaled.stages) == epochs
    for before in stages:
        after = sum(stage.epochs for stage in scaled.stages if stage.name == before.name)
        assert abs(after - before.epochs * epochs / sum(lengths)) <= 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lr": -1.0}, "'lr' must be > 0"),
        ({"lr": float("inf")}, "'lr' must be < inf"),
        ({"epochs": 0}, "'epochs' must be >= 1"),
        ({"batch_size": 0}, "'batch_size' must be >= 1"),
        ({"patience": 0}, "'patience' must be >= 1"),
        ({"sead": 1}, "unknown setting 'sead'; did you mean 'seed'|unknown setting 'sead'"),
    ],
)
def test_an_override_out_of_range_is_an_error(catalogue: Catalogue, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(LvmError, match=said) as caught:
        catalogue.variant("p1").override(settings)
    assert caught.value.where in ("the command line", "a variant's settings")


@pytest.mark.parametrize(
    ("text", "said", "where"),
    [
        (
            'best = "val_cso"',
            "unknown figure to choose the best weights by 'val_cso'; did you mean 'val_cos'",
            "odd.best",
        ),
        ('reported = { protocol = "5cat-2024" }', "unknown protocol '5cat-2024'; did you mean '5cat-2025'", "protocol"),
        ('optimizer = "adamx"', "unknown optimizer 'adamx'; did you mean 'adam", "odd.optimizer"),
    ],
)
def test_what_a_variant_names_beside_its_expressions_must_be_there(
    text: str, said: str, where: str, registry: Registry, tmp_path: Path
) -> None:
    found = load(tmp_path, f"[variants.odd]\n{text}")
    (problem,) = mistakes(found.variant("odd"), registry, found)
    assert said in problem.what
    assert where in (problem.where or "")


def test_an_override_of_none_changes_nothing(catalogue: Catalogue) -> None:
    p1 = catalogue.variant("p1")
    assert p1.override({"lr": None, "epochs": None}) == p1
    assert p1.override({"lr": 1e-3, "loss": "mse+dir:1"}) == attrs.evolve(p1, lr=1e-3, loss="mse+dir:1")


def test_an_unknown_variant_gets_the_nearest_match(catalogue: Catalogue) -> None:
    with pytest.raises(LvmError, match="unknown variant 'pl'"):
        catalogue.variant("pl")


@pytest.mark.parametrize(
    ("text", "value", "low", "high", "holds"),
    [
        (">= 0.5", 0.5, None, None, True),
        (">= 0.5", 0.49, None, None, False),
        ("<= -0.1", -0.2, None, None, True),
        ("<= -0.1", 0.0, None, None, False),
        ("interval > 0", 0.2, 0.1, 0.3, True),
        ("interval > 0", 0.2, -0.1, 0.3, False),
        ("interval < 0", -0.2, -0.3, -0.1, True),
        ("interval < 0", -0.2, -0.3, 0.1, False),
        ("interval not < 0", -0.2, -0.3, 0.1, True),
        ("interval not < 0", -0.2, -0.3, -0.1, False),
        ("interval > 0", 0.2, None, None, None),
    ],
)
def test_a_rule_looks_at_value_or_interval(
    text: str, value: float, low: float | None, high: float | None, holds: bool | None
) -> None:
    assert parse_rule(text).holds(value, low, high) is holds


@pytest.mark.usefixtures("light_check")
def test_a_name_that_is_not_there_is_told_with_the_file_and_the_key(lvm: Lvm, small: Path, tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text(
        '[variants.bad]\nloss = "mse+fooo:0.1"\n'
        '[variants.staged]\nsampler = "full,x=1"\n'
        '[[variants.staged.stages]]\nname = "a"\nepochs = 1\nloss = "dir:0.1,mrgin=3"\ngates = "tabel"\n'
    )
    words = ("--data", small, "--size", "toy", "--epochs", "1")
    said = lvm("run", "bad", *words, status=2).stderr
    assert said.startswith(
        "lvm: unknown loss 'fooo'; did you mean 'floor'?\n  where: variants.bad.loss, 'mse+fooo:0.1'"
    )
    assert str(tmp_path / "registry.toml") in said
    assert not list(tmp_path.glob("runs/*"))
    lvm("run", "bad", "--loss", "mse", *words)
    assert "where: variants.staged.sampler" in lvm("run", "staged", *words, status=2).stderr
    said = lvm("run", "staged", "--sampler", "full", *words, status=2).stderr
    assert "where: variants.staged.stages.a.loss, 'dir:0.1,mrgin=3'" in said
    said = lvm("check", status=1).stdout
    assert "4 mistakes:" in said
    for place in ("bad.loss", "staged.sampler", "staged.stages.a.loss", "staged.stages.a.gates"):
        assert f"  - variants.{place}, " in said


@pytest.mark.usefixtures("light_check")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('arch = "residual:0.5"', "'residual' wraps another architecture"),
        ('arch = "transformer+amn"', "'amn' wraps nothing"),
        ('loss = "mse,stop=2"\nepochs = 4', "no loss acts at epoch 3"),
        ('inputs = "drop:0.1,start=0"', "'start' must be >= 1"),
        (
            '[[variants.bad.stages]]\nname = "a"\nepochs = 1\n'
            '[[variants.bad.stages]]\nname = "b"\nepochs = 1\narch = "transformer,layers=3"',
            "a stage changes the shape of the model",
        ),
        ('inputs = "drop:0.1"\narch = "transformer+amn"', "'amn' wraps nothing"),
        ('inputs = "pos:0.1,start=3+last-noise"\nloss = "mse,stop=2"\nepochs = 4', "no loss acts at epoch 3"),
    ],
)
def test_what_cannot_be_trained_is_told_before_it_is_tried(text: str, said: str, lvm: Lvm, small: Path) -> None:
    Path("registry.toml").write_text(f'[variants.bad]\n{text}\n[gates.odd]\nA = {{ margn = ">= 1" }}\n')
    checked = lvm("check", status=1).stdout
    assert said in checked
    assert "unknown figure 'margn'" in checked
    assert said in lvm("run", "bad", "--data", small, status=2).stderr
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_the_shipped_registry_beside_an_installed_lvm_is_no_second_one(lvm: Lvm) -> None:
    (shipped,) = default_files()
    Path("registry.toml").write_bytes(shipped.read_bytes())
    assert "p1" in lvm("list", "variants").stdout
