"""What is printed where standard output is no terminal: whole lines, and nothing that only fills them."""

from __future__ import annotations

import pytest
from conftest import TOY, Lvm
from rich.table import Table
from rich.text import Text

from lvm_cli.console import console


def unpadded(text: str) -> bool:
    return not any(line.endswith(" ") for line in text.splitlines())


def test_a_line_is_whole_and_does_not_end_in_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    for width in (3, 300):
        table.add_column("word " * width, no_wrap=True)
    table.add_row("a", "b")
    console().print(table)
    console().print(Text("told   \n\n  and more  "), "x" * 500)
    printed = capsys.readouterr().out
    assert "word " * 299 + "word" in printed
    assert "told\n\n  and more   xxx" in printed
    assert printed.endswith("x" * 500 + "\n")
    assert unpadded(printed)


def test_what_is_printed_in_colour_loses_the_spaces_at_the_ends_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    console().print(Text.assemble(("red ", "red"), ("green  ", "green"), ("   ", "on blue")))
    assert capsys.readouterr().out == "\x1b[31mred \x1b[0m\x1b[32mgreen\x1b[0m\n"


def test_listings_are_neither_cut_nor_padded(lvm: Lvm, small: str) -> None:
    lvm(*TOY, small)
    for words in (("list",), ("compare",), ("runs",), ("plugins",), ("show", "dir"), ("show", "latest")):
        printed = lvm(*words).stdout
        assert unpadded(printed), words
        assert "…" not in printed.replace(" … ", ""), words
    assert max(map(len, lvm("list").stdout.splitlines())) > 200


@pytest.mark.parametrize("columns", [80, 100])
def test_columns_in_the_environment_lay_the_tables_out(
    columns: int, lvm: Lvm, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lvm(*TOY, small)
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in (("list",), ("compare",), ("runs",), ("show", "dir"), ("show", "latest")):
        piped = lvm(*words).stdout
        assert unpadded(piped)
        table = [line for line in piped.splitlines() if "  command  " not in line]  # which can be copied as it is
        assert max(map(len, table)) <= columns, words
        with monkeypatch.context() as patch:
            patch.setattr("lvm_cli.console.is_terminal", lambda stream: True)
            terminal = lvm(*words).stdout
        assert [line.rstrip() for line in terminal.splitlines()] == piped.splitlines()


@pytest.mark.parametrize("said", ["", "0", "wide"])
def test_columns_that_are_no_width_are_left_aside(said: str, lvm: Lvm, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lvm("list", "losses").stdout
    monkeypatch.setenv("COLUMNS", said)
    assert lvm("list", "losses").stdout == whole


def test_a_long_name_of_a_corpus_leaves_the_names_of_runs_whole(lvm: Lvm, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ("run", "--arch", "amn", "--size", "toy", "--epochs", "1", "--no-eval", "--data")
    lvm(*run, "world,articles=30,length=12,dim=24,latent=4,signal=0.5")
    monkeypatch.setenv("COLUMNS", "80")
    name = lvm("runs").stdout.splitlines()[3].split()[1]
    assert name.endswith(lvm("runs", "--json").stdout.split('"id": "')[1].split('"')[0])
