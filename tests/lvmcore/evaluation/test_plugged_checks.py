"""A plugin's check is a first-class citizen: options, every aggregate, columns, pairs, gates, labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import MakeCorpus

from lvmcore import Lab, LvmError

CHECK = """
from typing import ClassVar

from lvmcore import Count, Figure, component, hookimpl, option


@component
class Near:
    "How often a prediction is near its target."

    letter: ClassVar[str] = "N"
    title: ClassVar[str] = "nearness"
    least: float = option(default=0.5, help="the cosine from which on it is near")

    def figures(self, context):
        return (
            Figure("near", "near enough", help="windows over the threshold", aggregate="share", better="higher"),
            Figure("over.mean", help="cosine less the threshold", better="higher", signed=True, compared=True),
            Figure("apart", help="between VAL and OOD", aggregate="spread", of="over.mean", better="lower"),
            Figure("twice", help="made of another", derive=lambda columns: 2 * columns["over.mean"]),
        )

    def counts(self):
        return (Count("windows", of="over.mean"), Count("near_windows", of="over.mean", what="above 0"))

    def build(self):
        def measure(chunk):
            over = chunk.cos_next - self.least
            return {"near": over, "over.mean": over, "beside": over}

        return measure


@hookimpl
def lvm_checks():
    return [("near", Near)]
"""
GATES = """
[gates.near]
N = { near = ">= 0.9", "over.mean" = "beats cheats", apart = { both = "<= 1.5" } }
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.chdir(tmp_path)
    Path("near.py").write_text(CHECK)
    Path("gates.toml").write_text(GATES)
    return Lab("runs", plugins=["near.py"], registries=["gates.toml"], progress=False)


def test_what_it_declares_is_measured_with_intervals_and_judged(lab: Lab, make_corpus: MakeCorpus) -> None:
    small = make_corpus(articles=72)  # twelve of VAL and twelve of OOD: from six on a difference can be told
    found = lab.evaluate("oracle", str(small), gates="near")
    val, ood = found["val"]["N"], found["ood"]["N"]
    assert (val["near"].value, val["near"].low) == (1.0, 1.0)
    assert val["over"]["mean"].value == pytest.approx(0.5, abs=1e-3)
    assert val["twice"].value == pytest.approx(1.0, abs=1e-3)
    assert val["windows"] == val["near_windows"] == found["val"]["windows"]
    assert set(val) == {"near", "over", "twice", "windows", "near_windows"}  # `beside` is kept window by window
    apart = abs(val["over"]["mean"].value - ood["over"]["mean"].value)
    assert found.document["N_apart"]["value"] == pytest.approx(apart)
    assert {row["figure"] for row in found.figures()} >= {"N.near", "N.over.mean", "N.apart"}
    assert found.gates["N"] is True
    copier = lab.evaluate("copy-last", str(small), gates="near")
    assert copier.gates["N"] is False
    assert "not above" in copier.gates["why"]["N"]


def test_it_takes_options(lab: Lab, small: Path) -> None:
    wide, narrow = (lab.evaluate("oracle", str(small), checks=f"near:{least}") for least in (0.25, 0.9))
    assert wide["val"]["N"]["over"]["mean"].value == pytest.approx(0.75, abs=1e-3)
    assert narrow["val"]["N"]["over"]["mean"].value == pytest.approx(0.1, abs=1e-3)
    with pytest.raises(LvmError, match="unknown check 'neer'; did you mean 'near'"):
        lab.evaluate("oracle", str(small), checks="neer:0.5")
    with pytest.raises(LvmError, match="unknown option 'leest'; did you mean 'least'"):
        lab.evaluate("oracle", str(small), checks="near,leest=0.5")


def test_it_is_a_column_is_ranked_and_paired(lab: Lab, small: Path) -> None:
    for name, epochs in (("short", 1), ("long", 4)):
        lab.train(arch="amn", data=str(small), size="toy", epochs=epochs, lr=1e-2, name=name)
    table = lab.compare(columns="N.near,N.over.mean")
    assert [column.head for column in table.columns] == ["near enough", "over.mean"]
    by_run = {lab.run(row.run).record["name"]: row.figures["N.over.mean"] for row in table.rows}
    column = table.columns[1]
    assert [row.figures["N.over.mean"] for row in table.rows if table.is_best(row, column)] == [max(by_run.values())]
    assert table.text(table.rows[0], column)[0] in "+-"
    paired = {one.figure: one for one in lab.compare("short", "long", paired=True).differences if one.split == "val"}
    assert paired["N.over.mean"].difference.value == pytest.approx(by_run["short"] - by_run["long"], abs=1e-6)
    assert "N.twice" not in paired  # of which neither more nor less is better


def test_its_figures_are_read_without_its_plugin(lab: Lab, small: Path) -> None:
    run = lab.train(arch="amn", data=str(small), size="toy", epochs=1)
    other = Lab("runs", progress=False)
    evaluation = other.run(run.path.name).evaluation
    assert evaluation is not None
    assert evaluation["val"]["N"]["near"].value is not None
    assert other.compare().rows[0].run == run.path.name
