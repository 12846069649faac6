"""The comparison beside what was reported, and what is told of each run."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from conftest import TOY, Lvm
from safetensors.numpy import save_file

from lvm_reports.markdown import Markdown
from lvmcore.errors import LvmError
from lvmcore.registry import Registry
from lvmcore.report.comparison import compare
from lvmcore.report.details import details_of
from lvmcore.report.paired import compare_paired
from lvmcore.runs.folder import all_runs
from lvmcore.runs.run import Run
from lvmcore.variants.catalogue import Catalogue


def run_of(root: Path, name: str, protocols: tuple[str, ...] = ("5cat",), cosine: float = 0.6, **record: Any) -> Run:
    run = Run.create(root, name, ["test"])
    for protocol in protocols:
        val = {
            "cosine": {"value": cosine, "low": None, "high": None},
            "A": {"margin": {"value": -0.1 if protocol == "5cat" else -0.2, "low": None, "high": None}},
        }
        gates = {"profile": "table", "passed": 1, "of": 5}
        corpus = {"name": "wiki", "digest": "x"}
        run.write_evaluation({"protocol": protocol, "corpus": corpus, "splits": {"val": val}, "gates": gates})
    run.update(corpus={"name": "wiki"}, **record)
    run.finish("finished")
    return run


def test_what_was_reported_stands_below_its_run_and_is_never_ranked(
    tmp_path: Path, catalogue: Catalogue, registry: Registry
) -> None:
    run_of(tmp_path, "other", cosine=0.5)
    run_of(tmp_path, "p1", ("5cat", "5cat-2025"))
    reported = catalogue.variants.values()
    comparison = compare(all_runs(tmp_path), registry, reported)
    rows = [(row.kind, row.model_text, row.number, row.figures["margin"]) for row in comparison.rows]
    own = rows.index(("run", "p1", 2, -0.1))
    assert rows[own + 1] == ("run", "p1 (5cat-2025)", 2, -0.2)
    assert rows[own + 2] == ("reported", "P1 Baseline (5cat-2025)", None, -0.167)
    published = [variant for variant in reported if variant.reported]
    assert sum(row.kind == "reported" for row in comparison.rows) == len(published) >= 15
    assert any(row.protocol == "training diagnostic" for row in comparison.rows)
    ranked = {row.kind for row in comparison.rows if comparison.is_best(row, comparison.columns[0])}
    assert ranked == {"run"}
    assert [row.kind for row in compare(all_runs(tmp_path), registry).rows] == ["run", "run"]


def test_only_figures_of_the_same_windows_are_ranked_together(tmp_path: Path, registry: Registry) -> None:
    run = run_of(tmp_path, "whole")
    for name, changes in (("other", {"corpus": {"name": "wiki", "digest": "y"}}), ("limited", {"max_windows": 10})):
        one = run_of(tmp_path, name)
        one.write_evaluation(
            {
                **(one.document_by() or {}),
                **changes,
                "splits": {"val": {"cosine": {"value": 0.9, "low": None, "high": None}}},
            }
        )
    low = run_of(tmp_path, "low")
    low.write_evaluation(
        {**(low.document_by() or {}), "splits": {"val": {"cosine": {"value": 0.5, "low": None, "high": None}}}}
    )
    comparison = compare(all_runs(tmp_path), registry)
    assert [row.model for row in comparison.rows if comparison.is_best(row, comparison.columns[0])] == ["whole"]
    run.write_evaluation({**(run.document_by() or {}), "corpus": {"name": "kjv", "digest": "z"}})
    assert {row.model: row.corpus for row in compare(all_runs(tmp_path), registry).rows}["whole"] == "kjv"


def test_runs_of_one_variant_are_told_apart_by_what_was_changed(lvm: Lvm, small: Path) -> None:
    for words in (
        ("p1", "--epochs", "1", "--batch-size", "64", "--seed", "2"),
        ("p5", "--epochs", "3", "--ignore-gates", "--inputs", ""),
        ("--arch", "amn", "--loss", "mse", "--epochs", "1", "--lr", "0.002"),
    ):
        lvm("run", *words, "--size", "toy", "--data", small)
    rows = json.loads(lvm("compare", "--format", "json").stdout)["rows"]
    assert {row["approach"] for row in rows} == {
        "pure MSE; epochs 1, size toy, seed 2",
        "most forward windows first, pos = 0.03; epochs 3, inputs none, gates ignored, size toy",
        "amn · mse; epochs 1, lr 0.002, size toy",
    }
    text = lvm("compare", "--format", "markdown").stdout
    assert f"- command: `lvm run p1 --epochs 1 --batch-size 64 --seed 2 --size toy --data {small}`" in text


def test_the_documents_table_has_the_status_in_a_few_words(tmp_path: Path, registry: Registry) -> None:
    run = run_of(tmp_path, "stopped")
    reason, note = "stage A: val margin -0.1 < 0.02; val score 0.2 < 0.46", "below copy-last: val cosine 0.1 < 0.5"
    run.update(note=note)
    run.finish("gate-failed", reason)
    (row,) = compare([run], registry).rows
    assert row.status == f"gate-failed: {reason}; {note}"
    assert row.outcome == "gate-failed: stage A; below copy-last"


def test_details_tell_what_happened_and_when(tmp_path: Path, registry: Registry) -> None:
    stage = {"name": "A", "epochs": 2, "gates": None}
    variant = {"arch": "amn", "loss": "mse+dir:0.1,start=2", "inputs": "", "sampler": "full", "stages": [stage]}
    best = {"epoch": 2, "metric": "val_loss"}
    run = run_of(tmp_path, "told", variant=variant, best=best, seed=3, windows={"train": 1000})
    facts = (
        {"terms": {"mse": {}}, "stage": "A", "windows": 300, "val_cos": 0.4},
        {"terms": {"mse": {}, "dir": {}}, "stage": "A", "windows": 300, "events": ["learning rate 1 → 0.5"]},
        {"terms": {"mse": {}}, "stage": "B", "windows": 1000},
    )
    run.write_epochs(
        [{"epoch": i, "events": [], "val_cos": 0.5, "margin": -0.1} | own for i, own in enumerate(facts, 1)]
    )
    details = details_of(1, run, registry, "Told", "finished")
    assert details.events == (
        (1, "300 of 1,000 training windows from here on"),
        (2, "dir from here on: val cosine 0.400, margin -0.100 → val cosine 0.500, margin -0.100"),
        (2, "learning rate 1 → 0.5"),
        (2, "best weights by val_loss: val cosine 0.500, margin -0.100"),
        (3, "stage B begins"),
        (3, "1,000 of 1,000 training windows from here on"),
        (3, "dir acts no longer"),
    )
    assert details.settings["stage A"] == "epochs 2"
    assert details.settings["inputs"] == "none"
    assert details.gates == "table 1/5"


def test_targets_join_the_conditions_of_both_splits(lvm: Lvm, small: Path, registry: Registry) -> None:
    document = json.loads(lvm(*TOY, small, "--gates", "strict", "--json").stdout)
    run = Run.open(Path(document["path"]))
    details = details_of(1, run, registry, "x", "")
    targets = {(one.letter, one.figure): one for one in details.targets}
    val, ood = (document["evaluation"]["splits"][split]["A"]["margin"] for split in ("val", "ood"))
    ends = [(figure["low"], figure["high"]) for figure in (val, ood)]
    margin = targets["A", "margin"]
    assert (margin.test, margin.label, margin.wanted, margin.holds) == (
        "offset sweep",
        "margin",
        ">= 0.12 / >= 0.10",
        False,
    )
    assert (margin.val, margin.ood, margin.val_interval, margin.ood_interval) == (val["value"], ood["value"], *ends)
    assert margin.val_text == "{value:+.3f} [{low:+.3f}, {high:+.3f}]".format(**val)
    assert targets["E", "delta"].ood_text == "–"
    assert targets["E", "delta"].ood_interval is None
    assert targets["C", "shuffle"].wanted == "<= -0.15"
    assert targets["E", "delta"].ood is None
    gates = document["evaluation"]["gates"]
    for letter in "ABCDE":
        outcomes = [one.holds for one in details.targets if one.letter == letter]
        assert gates[letter] is (False if False in outcomes else None if None in outcomes else True)


def test_the_document_reads_from_the_table_to_the_sizes(lvm: Lvm, small: Path) -> None:
    lvm(*TOY, small)
    lvm("eval", "latest", "--protocol", "5cat-2025", "--save")
    text = lvm("compare", "--reported", "--format", "markdown").stdout
    assert text.startswith("# Model comparison\n\n**Runs**: 1, ")
    assert "| transformer (5cat-2025) |" in text
    assert "| P1 Baseline (5cat-2025) |" in text
    for part in ("## 1. transformer", "- loss: `mse+dir:0.002`", "| A: offset sweep | margin |", "best weights by"):
        assert part in text
    assert text.index("## 1.") < text.index("## Timeline") < text.index("## Sizes")
    rows = json.loads(lvm("compare", "--reported", "--format", "json").stdout)["rows"]
    assert {row["kind"] for row in rows} == {"run", "reported"}
    assert "| R@5 | " in text
    assert "| >= 60% |" in text
    sizes = text.partition("## Sizes")[2].partition("## Deployed")[0]
    (row,) = [line for line in sizes.splitlines() if line.startswith("| transformer |")]
    assert "MiB | `" in row
    assert "–" not in row


def test_what_was_published_stands_beside_both_splits_of_the_run(lvm: Lvm, small: Path) -> None:
    lvm("run", "p1", "--size", "toy", "--epochs", "1", "--data", small)
    lvm("eval", "latest", "--protocol", "5cat-2025", "--save")
    (one,) = json.loads(lvm("compare", "--reported", "--format", "json").stdout)["details"]
    own = json.loads(next(Path("runs").glob("*/evaluation-5cat-2025.json")).read_text())["splits"]
    published = {found["figure"]: found for found in one["published"]}
    assert set(published) == {"cosine", "margin", "all.r1", "all.r5", "score"}
    score = published["score"]
    assert (score["published_val"], score["published_ood"]) == (0.486, 0.493)
    assert (score["val"], score["ood"]) == (own["val"]["D"]["score"]["value"], own["ood"]["D"]["score"]["value"])
    assert "| rollout | " in lvm("compare", "--reported", "--format", "markdown").stdout
    assert not json.loads(lvm("compare", "--format", "json").stdout)["details"][0]["published"]


def test_a_published_training_diagnostic_stands_beside_the_margin_over_the_last_row(lvm: Lvm, small: Path) -> None:
    lvm("run", "p2", "--size", "toy", "--epochs", "1", "--data", small)
    (one,) = json.loads(lvm("compare", "--reported", "--format", "json").stdout)["details"]
    own = json.loads(next(Path("runs").glob("*/evaluation.json")).read_text())["splits"]["val"]
    published = {found["figure"]: (found["val"], found["published_val"]) for found in one["published"]}
    assert published == {
        "cosine": (own["cosine"]["value"], 0.472),
        "margin_last": (own["A"]["margin_last"]["value"], -0.534),
    }
    assert "| margin over last row | " in lvm("compare", "--reported", "--format", "markdown").stdout


def test_texts_of_several_lines_stay_in_their_place(tmp_path: Path, registry: Registry) -> None:
    run = run_of(tmp_path, "broken", variant={"title": "A|B\nC", "approach": "one\r\ntwo"})
    run.finish("failed", "RuntimeError: first\nsecond")
    text = Markdown().build()(compare([run], registry))
    assert "| 1 | A\\|B C |" in text
    assert "| one two |" in text
    assert text.count("failed: RuntimeError: first second") == 2


def test_a_run_that_is_named_twice_is_one_row(lvm: Lvm, small: Path) -> None:
    lvm(*TOY, small)
    rows = list(csv.DictReader(lvm("compare", "latest", "latest", "--format", "csv").stdout.splitlines()))
    assert [row["kind"] for row in rows].count("run") == 1
    assert {row["corpus_digest"].partition(":")[0] for row in rows} == {"sha256"}
    assert {row["max_windows"] for row in rows} == {""}


def test_a_run_knows_its_figures_by_both_protocols(lvm: Lvm, small: Path, registry: Registry) -> None:
    document = json.loads(lvm(*TOY, small, "--json").stdout)
    run = Run.open(Path(document["path"]))
    assert run.document_by("5cat-2025") is None
    before = (run.path / "windows.safetensors").read_bytes()
    old = json.loads(lvm("eval", run.path, "--protocol", "5cat-2025", "--save", "--json").stdout)
    assert run.document_by("5cat-2025") == old
    assert run.document_by() == document["evaluation"]
    assert (run.path / "windows.safetensors").read_bytes() == before
    assert attrs.asdict(details_of(1, run, registry, "x", ""))["targets"]


def paired_run(root: Path, name: str, **figures: float) -> Run:
    """A run whose windows all have these values, in thirty articles."""
    run = run_of(root, name)
    rows = np.arange(300)
    held = {f"val/{column}": np.full(300, value, np.float32) for column, value in figures.items()}
    noise = np.random.default_rng(len(name)).normal(0, 1e-3, 300).astype(np.float32)
    columns = {key: column + noise for key, column in held.items()}
    save_file(columns | {"val/row": rows, "val/article": rows // 10}, run.path / "windows.safetensors")
    return run


def test_the_better_of_two_runs_is_called_so_and_never_the_other(tmp_path: Path, registry: Registry) -> None:
    high = paired_run(tmp_path, "high", **{"cosine": 0.6, "B/all/r5": 0.5, "C/shuffle": -0.2, "E/low": 0.4})
    low = paired_run(tmp_path, "low", **{"cosine": 0.5, "B/all/r5": 0.4, "C/shuffle": -0.1, "E/low": 0.3})
    found = {one.figure: one for one in compare_paired(high, low, registry).differences}
    # of a spoilt context a better model loses more; the bins' column is one of an earlier lvm
    assert set(found) == {"A.cosine", "B.all.r5", "C.shuffle", "E.low.cosine"}
    assert {one.verdict for one in found.values()} == {"better"}
    assert found["A.cosine"].difference.value == pytest.approx(0.1, abs=1e-3)
    assert found["C.shuffle"].difference.value == pytest.approx(-0.1, abs=1e-3)
    assert {one.verdict for one in compare_paired(low, high, registry).differences} == {"worse"}
    assert {one.verdict for one in compare_paired(high, high, registry).differences} == {"can't tell"}


def test_any_figure_is_a_column(tmp_path: Path, registry: Registry) -> None:
    run_of(tmp_path, "one")
    comparison = compare(all_runs(tmp_path), registry, columns="A.margin,val_cos")
    assert [column.head for column in comparison.columns] == ["margin", "cosine"]
    (row,) = comparison.rows
    assert row.figures == {"margin": -0.1, "val_cos": 0.6}
    assert [comparison.text(row, column) for column in comparison.columns] == ["-0.100", "0.600"]
    with pytest.raises(LvmError, match=r"unknown figure 'A.margn'; did you mean 'A.margin'"):
        compare(all_runs(tmp_path), registry, columns="A.margn")


def test_gates_by_several_profiles_say_which(tmp_path: Path, registry: Registry) -> None:
    run_of(tmp_path, "one")
    assert [c.gates_text(c.rows[0]) for c in [compare(all_runs(tmp_path), registry)]] == ["1/5"]
    other = run_of(tmp_path, "other")
    gates = {"profile": "strict", "passed": 2, "of": 5}
    other.write_evaluation({**(other.document_by() or {}), "gates": gates})
    comparison = compare(all_runs(tmp_path), registry)
    assert {comparison.gates_text(row) for row in comparison.rows} == {"1/5 table", "2/5 strict"}
