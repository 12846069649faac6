"""What a variant extends: mistakes there hide no others, and are told once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Lvm

from lvmcore.errors import LvmError
from lvmcore.variants.catalogue import default_files, load_catalogue


def mistakes(tmp_path: Path, *texts: str) -> tuple[list[str], str]:
    """The mistakes of registry files that are read one after the other, and the file that they are told of."""
    files = [tmp_path / f"{number}.toml" for number, _ in enumerate(texts)]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    with pytest.raises(LvmError) as caught:
        load_catalogue([*default_files(), *files])
    _, *found = caught.value.what.split("\n  - ")
    return found, Path(caught.value.where or "").name


def test_whatever_a_variant_extends_its_own_mistakes_are_all_told(tmp_path: Path) -> None:
    own = 'lr = "fast"\nepohcs = 3\nbatch_size = 0\nstages = 3'
    found, _ = mistakes(tmp_path, f'[variants.a]\nextends = "nobody"\n{own}\n[variants.b]\nextends = "a"\nclip = -1.0')
    assert found == [
        "variants.a: extends 'nobody', which is unknown",
        "variants.a: stages: tables [[variants.a.stages]] were expected",
        "variants.a: lr: 'fast' is no float",
        "variants.a: unknown key 'epohcs', did you mean 'epochs'?",
        "variants.a: 'batch_size' must be >= 1: 0",
        "variants.b: 'clip' must be > 0: -1.0",
    ]


def test_a_variant_that_extends_one_with_mistakes_has_none_by_that(tmp_path: Path) -> None:
    found, where = mistakes(tmp_path, "[variants.a]\nepohcs = 3", '[variants.b]\nextends = "a"')
    assert (found, where) == (["variants.a: unknown key 'epohcs', did you mean 'epochs'?"], "0.toml")


def test_a_circle_is_named_once_and_whoever_extends_into_it_has_no_mistake(tmp_path: Path) -> None:
    parents = {"a": "b", "b": "c", "c": "a", "d": "a", "e": "d", "f": "f"}
    text = "\n".join(f'[variants.{name}]\nextends = "{parent}"' for name, parent in parents.items())
    found, _ = mistakes(tmp_path, text)
    assert found == [
        "variants.a: extends itself by way of a → b → c → a",
        "variants.f: extends itself by way of f → f",
    ]


def test_a_circle_is_told_of_the_file_that_closes_it_even_where_nothing_is_left_to_stand_on(tmp_path: Path) -> None:
    text = '[variants.base]\nreplace = true\nextends = "p1"\n[variants.a]\nlrr = 3'
    assert mistakes(tmp_path, text) == (
        [
            "variants.a: unknown key 'lrr', did you mean 'lr'?",
            "variants.base: extends itself by way of base → p1 → base",
        ],
        "0.toml",
    )
    closing = '[variants.a]\nreplace = true\nextends = "b"'
    assert mistakes(tmp_path, '[variants.b]\nextends = "a"\n[variants.a]', closing) == (
        ["variants.a: extends itself by way of a → b → a"],
        "1.toml",
    )


@pytest.mark.usefixtures("light_check")
def test_a_stage_without_a_name_fails_the_check_of_variants_and_no_other(lvm: Lvm) -> None:
    Path("registry.toml").write_text('[[variants.s.stages]]\nname = "A"\nepochs = 1\n[[variants.s.stages]]\nepochs = 3')
    checks = json.loads(lvm("check", "--json", status=1).stdout)["checks"]
    (failed,) = [check for check in checks if not check["ok"]]
    assert failed["check"] == "variants"
    assert "variants.s: stages[1].name: the key 'name' is missing" in failed["text"]
