"""Profiles of countries become articles of paragraphs, a field each and in their order, by the names they have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lvm_corpora.bundled
from lvm_corpora.factbook import Factbook
from lvmcore import LvmError

BUNDLED = Path(lvm_corpora.bundled.__file__).parent
FETCHING = Path(__file__).resolve().parents[2] / "examples" / "corpora"
FIELDS = st.recursive(
    st.builds(lambda text: {"text": text}, st.none() | st.text("ab;. \n+", max_size=9)),
    lambda inner: st.dictionaries(st.text("cd", min_size=1, max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def profiles() -> ModuleType:
    """The reader, as the script that builds the corpora imports it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(BUNDLED))
        return __import__("profiles")


def folder_of(tmp_path: Path, names: str, files: dict[str, Any]) -> Path:
    (tmp_path / "SUMMARY.md").write_text(names, "utf-8")
    for name, profile in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(profile), "utf-8")
    return tmp_path


def area(total: str) -> dict[str, Any]:
    return {"Geography": {"Area": {"total": {"text": total}}}}


def test_a_field_is_a_paragraph_and_all_stand_in_their_order(profiles: ModuleType) -> None:
    profile = {
        "Geography": {
            "Location": {"text": "Central Europe"},
            "Area": {"total": {"text": "83,871 sq km"}, "land": {"text": "82,445 sq km"}},
            "Area - comparative": {"text": "about Maine", "Area comparison map": {"text": None}},
            "Population pyramid": {"text": None},
        },
        "Economy": {"Exports": {"text": "wine", "partners": {"text": "Italy", "note": {"text": "2014"}}}},
    }
    assert list(profiles.paragraphs(profile)) == [
        "Location: Central Europe",
        "Area: total: 83,871 sq km; land: 82,445 sq km",
        "Area - comparative: about Maine",
        "Exports: wine; partners: Italy; note: 2014",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" ++ urban: 84% ++ rural: 81%", "urban: 84%; rural: 81%"),
        ("dinars per US dollar - ++ 79.6 ++ 79.4", "dinars per US dollar - 79.6; 79.4"),
        ("It ended. ++ Another began.", "It ended. Another began."),
        ("Hindu \nnote: 2010  est.\n\n   ", "Hindu; note: 2010 est."),
    ],
)
def test_marks_of_lists_become_semicolons(text: str, said: str, profiles: ModuleType) -> None:
    assert list(profiles.paragraphs({"People": {"Water": {"text": text}}})) == [f"Water: {said}"]


@given(profile=st.dictionaries(st.text("CD", min_size=1), st.dictionaries(st.text("ef", min_size=1), FIELDS)))
def test_no_word_is_lost_and_no_mark_stays(profile: dict[str, Any], profiles: ModuleType) -> None:
    def texts(fields: dict[str, Any]) -> list[str]:
        return [
            word
            for name, inner in fields.items()
            for word in (re.findall("[ab]+", inner or "") if name == "text" else texts(inner))
        ]

    found = list(profiles.paragraphs(profile))
    assert [word for field in found for word in re.findall("[ab]+", field)] == texts(profile)
    assert not any(re.search(r"\+\+|\s\s|\n", field) for field in found)


def test_a_country_has_its_name_and_region_whatever_its_file_is_called(profiles: ModuleType, tmp_path: Path) -> None:
    names = "### Countries (3)\n\n`fr` France\n`ag` Algeria\n`uc` Curacao\n"
    files = {"europe/fr.json": area("1"), "africa/ag.json": area("2"), "america/cc.json": area("3")}
    assert list(profiles.read_folder(folder_of(tmp_path, names, files)).items()) == [
        ("Algeria", ("africa", ["Area: total: 2"])),
        ("Curacao", ("america", ["Area: total: 3"])),
        ("France", ("europe", ["Area: total: 1"])),
    ]


def test_a_country_without_a_name_is_an_error(profiles: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(LvmError, match="no name is given for it") as caught:
        profiles.read_folder(folder_of(tmp_path, "`fr` France\n", {"europe/xx.json": area("1")}))
    assert caught.value.where == str(tmp_path / "europe" / "xx.json")


def test_the_package_is_pinned_and_holds_countries_alone(profiles: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FETCHING))
    package = __import__("recipe").Package(**profiles.PACKAGE)  # its validators look at each field
    chosen = __import__("unpack")._chosen
    assert chosen("package/africa/ag.json", package) == Path("africa/ag.json")
    assert chosen("package/SUMMARY.md", package) == Path("SUMMARY.md")
    for left_out in ("package/oceans/oo.json", "package/world/xx.json", "package/meta/categories.json"):
        assert chosen(left_out, package) is None


def test_africa_and_nothing_else_is_out_of_domain() -> None:
    corpus = Factbook().build()
    split_of = dict(zip(corpus.info.titles, corpus.splits.tolist(), strict=True))
    assert {split_of[name] for name in ("Algeria", "Kenya", "South Africa", "Zimbabwe")} == {2}
    assert 2 not in {split_of[name] for name in ("Austria", "Brazil", "China", "Yemen", "Curacao")}
    assert [list(split_of.values()).count(number) for number in range(3)] == [159, 40, 56]
    assert int(corpus.starts.diff().max()) == 50
    assert not {"World", "Arctic Ocean"} & set(split_of)
    assert Path(corpus.where).stat().st_size < 10_000_000
