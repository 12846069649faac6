"""Files that anybody may have written: what is read of them, and what is refused."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import attrs
import pytest

from lvmcore.errors import LvmError
from lvmcore.files import to_json
from lvmcore.records import DEPTH, checked, parse_json, read_bytes, read_json, read_json_lines, read_toml


def test_a_line_of_json_ends_at_a_newline_only(tmp_path: Path) -> None:
    values = [{"said": "a\u2028b\u0085c\x0bd"}, {"said": ""}]
    text = "".join(f"{to_json(value, indent=None)}\n" for value in values)
    for content, expected in ((text, values), (text.removesuffix("\n"), values), ("", [])):
        (tmp_path / "x.jsonl").write_text(content, "utf-8")
        assert read_json_lines(tmp_path / "x.jsonl") == expected


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{}\n{"a" 1}\n', "line 2, column 6: "),
        ("{}\n\n{}", "line 2, column 1: "),
        ("{}\n" + "[" * 99 + "]" * 99, "line 2: it is nested more than 64 deep"),
    ],
)
def test_a_line_that_is_no_json_is_named(text: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(LvmError, match=where):
        read_json_lines(tmp_path / "x.jsonl")


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    before = threading.active_count()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name, said in (("pipe", "no regular file"), ("zero", "no regular file"), ("folder", "Is a directory")):
        with pytest.raises(LvmError, match=said) as caught:
            read_json(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
    with pytest.raises(LvmError, match="No such file"):
        read_json(tmp_path / "none")
    assert threading.active_count() == before  # none waits at the pipe


def test_a_file_of_any_size_costs_no_more_than_the_limit(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(LvmError, match="larger than 16,777,216 bytes"):
        read_bytes(tmp_path / "large")
    assert len(read_bytes(tmp_path / "none-larger", 3) if (tmp_path / "none-larger").write_bytes(b"abc") else b"") == 3


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * 5000 + "]" * 5000, '{"a":' * (DEPTH + 1) + "1" + "}" * (DEPTH + 1)]
)
def test_json_that_is_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested more than 64 deep|Expecting"):
        parse_json(text)
    assert parse_json("[" * DEPTH + "]" * DEPTH)


def test_toml_that_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("a = " + "[" * 50_000)
    with pytest.raises(LvmError, match="no TOML"):
        read_toml(tmp_path / "x.toml")


@attrs.frozen
class Held:
    name: str
    count: int = 0
    share: float | None = None
    words: tuple[str, ...] = ()
    figures: dict[str, float] = attrs.field(factory=dict)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "[] is no table"),
        ({}, "name: the key 'name' is missing"),
        ({"name": 1, "count": "1"}, "name: 1 is no str; count: '1' is no int"),
        ({"name": "x", "count": True}, "count: True is no int"),
        ({"name": "x", "share": "1"}, "share: '1' is no float"),
        ({"name": "x", "words": "abc"}, "words: 'abc' is no list"),
        ({"name": "x", "words": ["a", None]}, "words[1]: None is no str"),
        ({"name": "x", "figures": [1]}, "figures: [1] is no table"),
        ({"name": "x", "share": 10**400}, "has more than 64 bits"),
    ],
    ids=str,
)
def test_a_wrong_type_is_named_with_its_key(value: object, said: str) -> None:
    with pytest.raises(LvmError) as caught:
        checked(value, Held, "here", "no record")
    assert said in caught.value.what
    assert len(caught.value.what) < 300


def test_keys_of_a_later_version_are_left_aside() -> None:
    assert checked({"name": "x", "new": [1], "share": 1, "words": ["a"]}, Held, "", "") == Held("x", 0, 1.0, ("a",))
