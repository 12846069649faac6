"""Whatever stands in a run's files, the listings show every run, a damaged one in one line, and nothing is a fault.

By default a few hundred inputs each; `LVM_FUZZ=20000 pytest tests/fuzz -s` takes as many as it is told, and each time
others.
"""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutation import INPUTS, SLOW, altered, mutated

from lvm_cli.console import console
from lvm_cli.main import cli
from lvmcore.errors import LvmError
from lvmcore.expression import Term
from lvmcore.plain import clean
from lvmcore.report.comparison import compare
from lvmcore.report.run import page
from lvmcore.runs.folder import age, find_run, listed_runs, numbers
from lvmcore.toolkit import Lab

MADE = Path(__file__).parents[1] / "lvmcore" / "runs" / "made_with_0.1"
SOUND, *_ = sorted(MADE.iterdir())
FILES = ("run.json", "epochs.jsonl", "evaluation.json")


def trimmed() -> dict[str, Any]:
    """A sound evaluation with one yardstick, so that a listing of it takes a moment."""
    document = json.loads((SOUND / "evaluation.json").read_text())
    name = next(iter(document["yardsticks"]))
    document["yardsticks"] = {name: document["yardsticks"][name]}
    for one in (document, *document["yardsticks"].values()):
        one["differences"] = {split: dict(list(held.items())[:1]) for split, held in one["differences"].items()}
    return document


DOCUMENTS: dict[str, Any] = {
    "run.json": json.loads((SOUND / "run.json").read_text()),
    "epochs.jsonl": [json.loads(line) for line in (SOUND / "epochs.jsonl").read_text().splitlines()],
    "evaluation.json": trimmed(),
}


def written(name: str, document: Any) -> bytes:
    if name.endswith("l") and isinstance(document, list):
        return "".join(json.dumps(line) + "\n" for line in document).encode()
    return json.dumps(document).encode()


def contents(name: str) -> st.SearchStrategy[bytes]:
    """Bytes that are nearly such a file."""
    sound = written(name, DOCUMENTS[name])
    changed = altered(DOCUMENTS[name]).map(lambda document: written(name, document))
    return st.one_of(changed, changed, changed, mutated(sound), st.binary(max_size=100), st.just(b"[" * 100_000))


def printed(*words: str) -> tuple[str, str]:
    """What a command says to standard output, and what is wrong."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        try:
            cli.main([*words], prog_name="lvm", standalone_mode=False)
        except LvmError as problem:
            return out.getvalue(), str(problem)
    return out.getvalue(), ""


def drawn(shown: Any) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        console().print(shown)
    return out.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_any_record_is_a_run_or_a_damaged_one_and_the_others_are_listed(name: str, tmp_path: Path) -> None:
    counts: Counter[str] = Counter(dict.fromkeys(("inputs", "damaged", "sound"), 0))
    runs = tmp_path / "runs"
    good, other = (runs / f"20{year}-11-25-012002-{word}-5efc" for year, word in ((20, "good"), (26, "other")))
    for folder in (good, other):
        shutil.copytree(SOUND, folder)
        (folder / "evaluation.json").write_bytes(written("evaluation.json", DOCUMENTS["evaluation.json"]))
    lab = Lab(runs, progress=False)

    @SLOW
    @given(contents(name))
    def take(content: bytes) -> None:
        counts["inputs"] += 1
        (other / name).write_bytes(content)
        first, second = listed_runs(runs)
        assert (first.status, second.path) == ("finished", other)
        damaged = second.status == "damaged"
        counts["damaged" if damaged else "sound"] += 1
        assert sorted(numbers([first, second]).values()) == [1, 2]
        comparison = compare([first, second], lab.registry)
        assert {row.run for row in comparison.rows if row.kind == "run"} == {good.name, other.name}
        for said in (row.status for row in comparison.rows if row.run == other.name):
            assert damaged is said.startswith("damaged: "), said
        shown = ""
        for form in ("table", "markdown", "csv", "json"):
            report = lab.registry.make("report", Term(form)).build()(comparison)
            shown += drawn(report) if form == "table" else f"{clean(report)}\n"
        if counts["inputs"] % 10 == 1:  # which take their time
            shown += "".join(printed(*words, "--runs", str(runs))[0] for words in (("runs",), ("compare",)))
            for words in (("runs", "--json"), ("show", str(other)), ("show", str(other), "--all")):
                printed(*words, "--runs", str(runs))[0].encode()
        assert shown.count(good.name) >= 3
        assert not set("\x1b\x07\x9b") & set(shown)
        assert not any(line.startswith("lvm: ") for line in shown.splitlines())
        problem = None
        try:
            found = find_run("latest", runs)
            assert found.path == other or age(second) < age(first), "an older run was taken in silence"
            drawn(page(found, lab.registry))
        except LvmError as raised:
            problem = raised
        assert problem is None or str(other) in (problem.where or "")

    take()
    print(f"\n{name}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
    assert counts["inputs"] >= INPUTS // 4
    assert counts["damaged"]
    assert counts["sound"]
